"""Discord's rate limits and the headers that tell them; enforced only when a test asks for it."""

from __future__ import annotations

import hashlib
from collections import defaultdict, deque
from functools import cache

from tests.peers.discord.clock import Clock

_WINDOWS = {
    "messages.create": (5, 5.0),
    "messages.edit": (5, 5.0),
    "typing": (5, 5.0),
    "reactions.add": (1, 0.25),
    "interactions.callback": (50, 1.0),
}
_OTHERS = (50, 1.0)


class Rates:
    """A sliding window per label and channel (or whatever the major parameter is)."""

    def __init__(self, clock: Clock, *, is_enforced: bool = False) -> None:
        self.is_enforced = is_enforced
        self._clock = clock
        self._calls: dict[tuple[str, str], deque[float]] = defaultdict(deque)

    def wait(self, label: str, major: str) -> float:
        """Seconds the caller must wait; 0 lets the call through and counts it."""
        limit, _ = self._window(label)
        calls = self._recent(label, major)
        if self.is_enforced and len(calls) >= limit:
            return self._reset_after(label, calls)
        calls.append(self._clock.now())
        return 0.0

    def headers(self, label: str, major: str) -> dict[str, str]:
        limit, _ = self._window(label)
        calls = self._recent(label, major)
        after = self._reset_after(label, calls)
        left = limit - len(calls) if self.is_enforced else limit - 1
        return {
            "X-RateLimit-Bucket": _bucket(label),
            "X-RateLimit-Limit": str(limit),
            "X-RateLimit-Remaining": str(max(0, left)),
            "X-RateLimit-Reset": f"{self._clock.now() + after:.3f}",
            "X-RateLimit-Reset-After": f"{after:.3f}",
        }

    def exhausted(self, label: str, seconds: float) -> dict[str, str]:
        """The headers of a limit that a test ordered."""
        return {
            "X-RateLimit-Bucket": _bucket(label),
            "X-RateLimit-Limit": "5",
            "X-RateLimit-Remaining": "0",
            "X-RateLimit-Reset": f"{self._clock.now() + seconds:.3f}",
            "X-RateLimit-Reset-After": f"{seconds:.3f}",
        }

    def _window(self, label: str) -> tuple[int, float]:
        return _WINDOWS.get(label, _OTHERS) if self.is_enforced else _OTHERS

    def _recent(self, label: str, major: str) -> deque[float]:
        _, window = self._window(label)
        calls = self._calls[label, major]
        while calls and calls[0] <= self._clock.now() - window:
            calls.popleft()
        return calls

    def _reset_after(self, label: str, calls: deque[float]) -> float:
        _, window = self._window(label)
        return max(0.001, calls[0] + window - self._clock.now()) if calls else window


@cache
def _bucket(label: str) -> str:
    return hashlib.sha256(label.encode()).hexdigest()[:32]
