"""Named places between two effects, where a test may kill the process."""

from __future__ import annotations

from collections.abc import Callable


def _pass(place: str) -> None:
    """A bot in service walks through every place."""


_arrive: Callable[[str], None] = _pass


def reach(place: str) -> None:
    """Say that execution has come to `place`; the list is in docs/architecture.md."""
    _arrive(place)


def watch(arrive: Callable[[str], None]) -> None:
    """Call `arrive` at every place from now on. For tests: nothing in the program calls this."""
    global _arrive
    _arrive = arrive
