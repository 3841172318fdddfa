"""Slack's rate limits per method and workspace; enforced only when a test asks for it."""

from __future__ import annotations

import math
from collections import defaultdict, deque

from tests.peers.slack.clock import Clock

_TIERS = {1: 1, 2: 20, 3: 50, 4: 100}  # calls a minute
_TIER_OF = {
    "apps.connections.open": 1,
    "chat.startStream": 2,
    "chat.stopStream": 2,
    "conversations.list": 2,
    "chat.appendStream": 4,
    "users.info": 4,
    "files.info": 4,
    "views.open": 4,
    "views.publish": 4,
}
_UNLIMITED = {"auth.test", "assistant.threads.setStatus", "oauth.v2.access"}  # special, generous
_POSTS_BURST = 5  # a channel takes one post a second, with short bursts


class Rates:
    """A sliding minute per (method, team), and a bucket per channel for posts."""

    def __init__(self, clock: Clock, *, is_enforced: bool = False) -> None:
        self.is_enforced = is_enforced
        self._clock = clock
        self._calls: dict[tuple[str, ...], deque[float]] = defaultdict(deque)
        self._full_at: dict[tuple[str, str], float] = {}  # again, by team and channel

    def wait(self, method: str, team: str, channel: str) -> int:
        """Whole seconds the caller must wait; 0 lets the call through and counts it."""
        if not self.is_enforced or method in _UNLIMITED:
            return 0
        if method in ("chat.postMessage", "chat.postEphemeral"):
            return self._post(team, channel)
        return self._take((method, team), _TIERS[_TIER_OF.get(method, 3)], 60.0)

    def _post(self, team: str, channel: str) -> int:
        now = self._clock.now()
        full_at = max(self._full_at.get((team, channel), now), now) + 1
        if full_at > now + _POSTS_BURST:
            return math.ceil(full_at - now - _POSTS_BURST)
        self._full_at[team, channel] = full_at
        return 0

    def _take(self, key: tuple[str, ...], limit: int, window: float) -> int:
        now, calls = self._clock.now(), self._calls[key]
        while calls and calls[0] <= now - window:
            calls.popleft()
        if len(calls) >= limit:
            return max(1, math.ceil(calls[0] + window - now))
        calls.append(now)
        return 0
