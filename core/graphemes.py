"""Cuts text between characters as people see them: an emoji with joiners, a flag, an accent."""

from __future__ import annotations

from collections.abc import Callable

from core.lazy import lazy


def boundary(text: str, length: int) -> int:
    """How many code points to keep, at most `length`, without cutting a character in two.

    A single character that is longer than `length` is cut all the same, so that the result is
    never 0 for a `length` above 0. Follows Unicode's UAX #29.
    """
    if length >= len(text):
        return len(text)
    start_of_character: Callable[[str, int], int] = lazy("wcwidth", "grapheme_boundary_before")
    return start_of_character(text, length + 1) or length


def head(text: str, length: int) -> str:
    """The text's beginning: at most `length` code points, cut as `boundary` says."""
    return text[: boundary(text, length)]


def shortened(text: str, length: int) -> str:
    """At most `length` code points, with … at the end of what was cut."""
    return text if len(text) <= length else f"{head(text, length - 1)}…"
