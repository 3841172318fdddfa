"""On which line of a TOML document something stands."""

from __future__ import annotations

import tomllib
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from datetime import date, time
from typing import TypeAlias

Place = tuple[int | str, ...]
Toml: TypeAlias = "dict[str, Toml] | list[Toml] | str | int | float | bool | date | time"


def locate(text: str, places: Iterable[Place]) -> list[int]:
    """The first line of the statement that brings each place into being, counted from 1.

    A place that is not there is looked for as far as it is. `text` has to be valid TOML.
    """
    lines = text.split("\n")
    ends = _statement_ends(lines)
    return [_line_of(place, lines, ends) for place in places]


def _statement_ends(lines: Sequence[str]) -> list[int]:
    """How many lines there are up to the end of each statement, blank line or comment."""
    ends = [0]
    for end in range(1, len(lines) + 1):
        try:
            tomllib.loads("\n".join(lines[ends[-1] : end]))
        except tomllib.TOMLDecodeError:
            continue  # the statement goes on
        ends.append(end)
    return ends


def _line_of(place: Place, lines: Sequence[str], ends: Sequence[int]) -> int:
    def depth_at(end: int) -> int:
        return _depth(tomllib.loads("\n".join(lines[:end])), place)

    statement = bisect_left(ends, depth_at(ends[-1]), key=depth_at)
    return ends[max(statement - 1, 0)] + 1


def _depth(document: Toml, place: Place) -> int:
    """How many steps of the place lead somewhere."""
    for depth, step in enumerate(place):
        found = _inside(document, step)
        if found is None:
            return depth
        document = found
    return len(place)


def _inside(document: Toml, step: int | str) -> Toml | None:
    if isinstance(document, dict) and isinstance(step, str):
        return document.get(step)
    if isinstance(document, list) and isinstance(step, int):
        return next(iter(document[step : step + 1]), None)
    return None
