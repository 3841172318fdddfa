"""How often a method of Slack may be called in a workspace, by Slack's tiers and its word."""

from __future__ import annotations

import asyncio

from aiolimiter import AsyncLimiter

from bots.slack.failures import NotDone
from core.clock import monotonic

_BURST = 10.0  # calls at once; with the rate it stays below a tier's calls in any minute
_TIERS = {2: 20.0, 3: 50.0, 4: 100.0}  # calls a minute
_TIER_OF = {
    "chat.startStream": 2,
    "chat.stopStream": 2,
    "conversations.list": 2,
    "users.list": 2,
    "usergroups.users.list": 2,
    "chat.appendStream": 4,
    "users.info": 4,
    "conversations.members": 4,
    "files.info": 4,
    "views.open": 4,
    "views.publish": 4,
}
_UNLIMITED = {"auth.test", "assistant.threads.setStatus", "files.download", "files.upload"}
_IN_A_CHANNEL = {"chat.postMessage", "chat.postEphemeral"}
_POSTS, _POST_SECONDS = 3.0, 3.0  # one a second in a channel, after three at once
_MANY = 1_000  # buckets, after which those are looked for that nobody needs

Key = tuple[str, str, str]


class Rates:
    """One bucket for each (workspace, method), and for each channel where Slack counts so."""

    def __init__(self, *, patience: float = 5.0) -> None:
        """`patience`: seconds that a call waits for its turn before it is put off.

        A post waits as long as it takes: put off, it would begin behind those that came later.
        """
        self._patience = patience
        self._buckets: dict[Key, _Bucket] = {}
        self._blocked_until: dict[Key, float] = {}

    async def wait(self, team: str, method: str, channel: str = "") -> None:
        """Return when the call may be made.

        Raises:
            NotDone: that would take longer than a caller should wait.
        """
        key = _key(team, method, channel)
        blocked = self._blocked_for(key)
        if blocked > self._patience:
            raise NotDone(f"Slack asked to wait with {method}.", retry_after=blocked)
        await asyncio.sleep(blocked)
        if method in _UNLIMITED:
            return
        try:
            async with asyncio.timeout(None if method in _IN_A_CHANNEL else self._patience):
                bucket = self._bucket(key)
                async with bucket.turn:
                    await bucket.acquire()
        except TimeoutError as error:
            raise NotDone(
                f"too many calls of {method} wait.", retry_after=self._patience
            ) from error

    def block(self, team: str, method: str, channel: str, seconds: float) -> None:
        """Slack wants no such call for that long."""
        key = _key(team, method, channel)
        now = monotonic()
        until = max(now + seconds, self._blocked_until.get(key, 0))
        waited_for = {each: at for each, at in self._blocked_until.items() if at > now}
        self._blocked_until = {**waited_for, key: until}

    def has_room(self, team: str, method: str, calls: int) -> bool:
        """Whether so many calls could be made right now."""
        key = _key(team, method, "")
        return not self._blocked_for(key) and self._bucket(key).has_capacity(calls)

    def _blocked_for(self, key: Key) -> float:
        left = self._blocked_until.get(key, 0) - monotonic()
        if left <= 0:
            self._blocked_until.pop(key, None)
        return max(left, 0)

    def _bucket(self, key: Key) -> _Bucket:
        if key not in self._buckets:
            if len(self._buckets) >= _MANY:
                self._forget_empty()
            self._buckets[key] = _new_bucket(key[1])
        return self._buckets[key]

    def _forget_empty(self) -> None:
        """One that has run empty is as good as a new one."""
        in_use = {
            key: bucket
            for key, bucket in self._buckets.items()
            if not bucket.has_capacity(bucket.max_rate)
        }
        self._buckets = in_use


class _Bucket(AsyncLimiter):
    """A limiter where nobody overtakes those that wait, also when the loop wakes them late."""

    def __init__(self, calls: float, seconds: float) -> None:
        super().__init__(calls, seconds)
        self.turn = asyncio.Lock()


def _new_bucket(method: str) -> _Bucket:
    if method in _IN_A_CHANNEL:
        return _Bucket(_POSTS, _POST_SECONDS)
    a_minute = _TIERS[_TIER_OF.get(method, 3)] - _BURST
    return _Bucket(_BURST, 60 * _BURST / a_minute)


def _key(team: str, method: str, channel: str) -> Key:
    return (team, method, channel if method in _IN_A_CHANNEL else "")
