"""What the model wrote of a stretch: not trusted, and kept only where it has sources."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from core.llm.tokens import estimate
from core.llm.untrusted import list_of, mapping_of, text_of
from core.memory.learning_request import MOST_FACTS
from core.text import cleaned
from storage.learning import Learned, SourceMessage
from storage.stretches import Said

LONGEST_SUMMARY = 600  # tokens
_LONGEST_FACT = 400  # characters


@dataclass(frozen=True, slots=True, kw_only=True)
class Notes:
    """A summary, empty if it cannot be used, and the facts that people said."""

    summary: str
    facts: Sequence[Learned]


def read(text: str, said: Sequence[Said], known: Collection[int], *, room: int) -> Notes | None:
    """What is usable of it; None if it is no JSON object of that shape.

    A summary of more than `room` tokens is not: that is what it would stand for. Facts keep the
    people's messages among `said` that they name, and are left out without any.
    """
    try:
        written = json.loads(text[text.index("{") : text.rindex("}") + 1])
    except (ValueError, RecursionError):
        return None
    notes = mapping_of(written)
    if not isinstance(notes.get("facts"), list):
        return None
    summary = cleaned(text_of(notes.get("summary")))
    found = [_fact(mapping_of(each), said, known) for each in list_of(notes["facts"])]
    return Notes(
        summary=summary if estimate(summary) <= min(room, LONGEST_SUMMARY) else "",
        facts=[fact for fact in found if fact][:MOST_FACTS],
    )


def _fact(given: dict[str, object], said: Sequence[Said], known: Collection[int]) -> Learned | None:
    text = " ".join(cleaned(text_of(given.get("text"))).split())
    numbers = [each for each in list_of(given.get("sources")) if isinstance(each, int)]
    named = [said[number - 1] for number in numbers if 0 < number <= len(said)]
    sources = [
        SourceMessage(
            key=each.key, author=each.author, author_id=each.author_id, said_at=each.said_at
        )
        for each in named
        if each.key
    ]
    if not sources or not 0 < len(text) <= _LONGEST_FACT:
        return None
    replaces = given.get("replaces")
    return Learned(
        text=text,
        sources=sources,
        replaces=replaces if isinstance(replaces, int) and replaces in known else None,
    )
