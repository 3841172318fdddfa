"""The peer's own clock, which a test can push forward, and the message timestamps it mints."""

from __future__ import annotations

import time
from collections.abc import Callable


def _wall() -> float:
    return time.time()  # noqa: TID251 - the peer is the outside world and has a clock of its own


class Clock:
    """Unix seconds. Every timestamp is minted once, in any channel."""

    def __init__(self, now: Callable[[], float] | None = None) -> None:
        self._now = now or _wall
        self._skew = 0.0
        self._last = 0
        self._minted: set[int] = set()

    def now(self) -> float:
        return self._now() + self._skew

    def advance(self, seconds: float) -> None:
        self._skew += seconds

    def ts(self, ago: float = 0.0) -> str:
        micros = int((self.now() - ago) * 1_000_000)
        if not ago:
            micros = self._last = max(micros, self._last + 1)
        while micros in self._minted:
            micros += 1
        self._minted.add(micros)
        return f"{micros // 1_000_000}.{micros % 1_000_000:06d}"
