"""The peer's own clock, which a test can push forward, and the snowflakes it mints."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

EPOCH_MS = 1_420_070_400_000
_LOW_BITS = 22


def _wall() -> float:
    return time.time()  # noqa: TID251 - the peer is the outside world and has a clock of its own


class Clock:
    """Unix seconds. Every snowflake is minted once, and later ones are greater."""

    def __init__(self, now: Callable[[], float] | None = None) -> None:
        self._now = now or _wall
        self._skew = 0.0
        self._last = 0
        self._minted: set[int] = set()

    def now(self) -> float:
        return self._now() + self._skew

    def advance(self, seconds: float) -> None:
        self._skew += seconds

    def snowflake(self, ago: float = 0.0) -> str:
        value = (int((self.now() - ago) * 1000) - EPOCH_MS) << _LOW_BITS
        if not ago:
            value = self._last = max(value, self._last + 1)
        while value in self._minted:
            value += 1
        self._minted.add(value)
        return str(value)


def minted_at(snowflake: str) -> float:
    """Unix seconds, to the millisecond."""
    return ((int(snowflake) >> _LOW_BITS) + EPOCH_MS) / 1000


def stamp(seconds: float) -> str:
    """ISO 8601, as Discord writes times."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds")
