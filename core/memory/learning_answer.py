"""What the model wrote of a stretch: not trusted, and kept only where it has sources."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass

from core.llm.tokens import estimate
from core.llm.untrusted import list_of, mapping_of, text_of
from core.memory.learning_request import MOST_FACTS
from core.text import cleaned
from storage.learning import Learned
from storage.stretches import StretchMessage

LONGEST_SUMMARY = 600  # tokens
_LONGEST_FACT = 400  # characters
_MOST_SOURCES = 16  # of one fact


@dataclass(frozen=True, slots=True, kw_only=True)
class Learnings:
    """A summary, empty if it cannot be used, and the facts that people said."""

    summary: str
    facts: Sequence[Learned]

    def journalled(self) -> dict[str, object]:
        """As `journalled` reads it."""
        return {"summary": self.summary, "facts": [asdict(fact) for fact in self.facts]}


def journalled(content: Mapping[str, object]) -> Learnings | None:
    """What was journalled; None if another version wrote it in a shape of its own."""
    if not isinstance(content.get("facts"), list):
        return None
    facts = map(mapping_of, list_of(content["facts"]))
    return Learnings(
        summary=text_of(content.get("summary")),
        facts=[
            Learned(
                text=text_of(fact.get("text")),
                sources=[text_of(key) for key in list_of(fact.get("sources"))],
                replaces=_number(fact.get("replaces")),
            )
            for fact in facts
        ],
    )


def read(
    text: str, said: Sequence[StretchMessage], known: Collection[int], *, room: int
) -> Learnings | None:
    """What is usable of it; None if it is no JSON object of that shape.

    A summary of more than `room` tokens is not: that is what it would stand for. Facts keep the
    people's messages among `said` that they name, and are left out without any.
    """
    try:
        written = json.loads(text[text.index("{") : text.rindex("}") + 1])
    except (ValueError, RecursionError):
        return None
    given = mapping_of(written)
    if not isinstance(given.get("facts"), list):
        return None
    summary = cleaned(text_of(given.get("summary")))
    found = [_fact(mapping_of(each), said, known) for each in list_of(given["facts"])]
    return Learnings(
        summary=summary if estimate(summary) <= min(room, LONGEST_SUMMARY) else "",
        facts=[fact for fact in found if fact][:MOST_FACTS],
    )


def _fact(
    given: dict[str, object], said: Sequence[StretchMessage], known: Collection[int]
) -> Learned | None:
    text = " ".join(cleaned(text_of(given.get("text"))).split())
    numbers = [_number(each) for each in list_of(given.get("sources"))]
    named = [said[number - 1].key for number in numbers if number and 0 < number <= len(said)]
    sources = list(dict.fromkeys(key for key in named if key))[:_MOST_SOURCES]
    if not sources or not 0 < len(text) <= _LONGEST_FACT:
        return None
    replaces = _number(given.get("replaces"))
    return Learned(text=text, sources=sources, replaces=replaces if replaces in known else None)


def _number(value: object) -> int | None:
    """To Python, true is a number, too."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None
