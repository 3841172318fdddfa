"""A message as it is searched and shown: passages of whole sentences or lines, with context."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from core.memory.analysis import words

LONGEST = 300  # characters of a passage
SHORT = 500  # characters of a person's message that has context, or is context
DATED = 3  # words of a passage that are its date: its first ones
_CONTEXT = 2  # messages of people just before
_MOST = 500  # passages of one message; what is longer is data
_END = re.compile("(?<=[.!?\u2026\u3002\uff01\uff1f])\\s+|(?<=[\u3002\uff01\uff1f])|\n+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A message to be indexed."""

    author: str
    text: str
    said_at: datetime
    is_person: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """Part `part` of the message, from 0, and the words that it is found by."""

    part: int
    words: Sequence[str]


def split(text: str) -> list[str]:
    """The text, or where it is long, passages of it of whole sentences or lines."""
    if len(text) <= LONGEST:
        return [text]
    found = [""]
    for piece in _pieces(text):
        joined = f"{found[-1]}{piece}"
        if len(joined.strip()) <= LONGEST:
            found[-1] = joined
        elif len(found) == _MOST:
            break
        else:
            found.append(piece)
    return [passage.strip() for passage in found if passage.strip()] or [""]


def _pieces(text: str) -> Iterator[str]:
    """Sentences and lines with the white space after them; none is longer than a passage."""
    start = 0
    for end in [match.end() for match in _END.finditer(text)] + [len(text)]:
        while end - start > LONGEST:
            room = text.rfind(" ", start + LONGEST // 2, start + LONGEST) + 1
            stop = room or start + LONGEST
            yield text[start:stop]
            start = stop
        yield text[start:end]
        start = end


def passages(said: Said, before: Sequence[Said]) -> list[Passage]:
    """The passages of a message; `before` are the ones just before it in the same session.

    Each has its date and speaker. A short message of a person has the words of short ones of
    people just before it, too.
    """
    prefix = words(f"{said.said_at:%d %B %Y} {said.author}")
    around = [word for each in context(said, before) for word in words(_line(each))]
    return [
        Passage(part=part, words=[*prefix, *around, *words(text)])
        for part, text in enumerate(split(said.text))
    ]


def context(said: Said, before: Sequence[Said]) -> list[Said]:
    """What a short message of a person is read with: an agent's or a long message ends it."""
    found: list[Said] = []
    if is_short(said):
        for each in reversed(before[-_CONTEXT:]):
            if not is_short(each):
                break
            found.append(each)
    return found[::-1]


def is_short(said: Said) -> bool:
    """Whether it has context, and is context."""
    return said.is_person and len(said.text) <= SHORT


def _line(said: Said) -> str:
    return f"{said.author}: {said.text}"
