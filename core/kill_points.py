"""Kill points: names for the moments between two effects, where a test may kill the process."""

from __future__ import annotations

from collections.abc import Callable


def _pass(point: str) -> None:
    """A bot in service walks through every point."""


_arrive: Callable[[str], None] = _pass


def reach(point: str) -> None:
    """Say that execution has come to `point`; docs/architecture.md lists them all."""
    _arrive(point)


def watch(arrive: Callable[[str], None]) -> None:
    """Call `arrive` at every point from now on. For tests: nothing in the program calls this."""
    global _arrive
    _arrive = arrive
