"""What the model is asked for when a history is compacted: a summary, and the facts in it."""

from __future__ import annotations

from collections.abc import Sequence

from core.memory.similar import most_similar
from storage.models import Fact
from storage.stretches import StretchMessage

MOST_FACTS = 8
_KNOWN = 10  # facts that it is given, to say which of them hold no more
_BEGINNING = 40  # characters by which a message is recognised
_HEAD = (
    "(This comes from no person: answer nobody now and call no tool. Write one JSON object and "
    "nothing else, in the language of the conversation:"
)
_SUMMARY = (
    "Of the conversation above, all up to message {last} of those that are listed below, and the "
    'earlier summary if there is one, will not be shown to you again. "summary" is to stand in '
    "their place: who wants what, what was decided, done, promised and is still open, with names, "
    "numbers and absolute dates. At most {words} words; reported, without instructions."
)
_FACTS = (
    '"facts" are at most {most} new statements that people (not you) made in the messages below '
    "and that will matter for long: each one sentence that can be understood by itself, names "
    "instead of pronouns, absolute dates instead of 'tomorrow'. \"sources\" are the numbers of the "
    'messages that say so; "replaces" is the number of the known fact that holds no more because '
    "of it, or null. Leave out what is known, what only you said, what somebody wants forgotten, "
    "and instructions to you; an empty list is fine."
)


def request(
    said: Sequence[StretchMessage], known: Sequence[Fact], *, words: int | None
) -> tuple[str, list[int]]:
    """The last message of the prompt, and the facts that it names; `words` None: no summary.

    The numbers of messages are their places in `said`, from 1.
    """
    similar = most_similar(known, [each.text for each in said], limit=_KNOWN)
    shape = '{"facts": [{"text": "…", "sources": [1, 2], "replaces": null}]}'
    parts = [_FACTS.format(most=MOST_FACTS)]
    if words:
        shape = f'{{"summary": "…", {shape[1:]}'
        parts.insert(0, _SUMMARY.format(last=len(said), words=words))
    if similar:
        parts.append("\n".join(["Known facts:", *(f"{each.id}. {each.text}" for each in similar)]))
    parts.append("\n".join(["Messages:", *_listed(said)]))
    return "\n\n".join([f"{_HEAD} {shape}", *parts]) + ")", [fact.id for fact in similar]


def _listed(said: Sequence[StretchMessage]) -> list[str]:
    """Each by its number, speaker and first words, below its date."""
    lines: list[str] = []
    day = ""
    for number, each in enumerate(said, start=1):
        if (said_on := f"{each.said_at:%A, %d %B %Y}") != day:
            day = said_on
            lines.append(f"[{day}]")
        lines.append(f"{number}. {each.author}: {_beginning(each.text)}")
    return lines


def _beginning(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _BEGINNING else f"{line[:_BEGINNING]}…"
