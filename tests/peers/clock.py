"""A peer's own clock, which a test can push forward; what it mints is minted once."""

from __future__ import annotations

import time
from collections.abc import Callable


def _wall() -> float:
    return time.time()  # noqa: TID251 - a peer is the outside world and has a clock of its own


class Clock:
    """Unix seconds."""

    def __init__(self, now: Callable[[], float] | None = None) -> None:
        self._now = now or _wall
        self._skew = 0.0
        self._last = 0
        self._minted: set[int] = set()

    def now(self) -> float:
        return self._now() + self._skew

    def advance(self, seconds: float) -> None:
        self._skew += seconds

    def minted(self, wanted: int, *, is_past: bool) -> int:
        """The number or the next one that is free; of the present, greater than all before."""
        if not is_past:
            wanted = self._last = max(wanted, self._last + 1)
        while wanted in self._minted:
            wanted += 1
        self._minted.add(wanted)
        return wanted
