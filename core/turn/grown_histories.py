"""Which histories have grown, as turns have seen: told to whoever compacts in this process."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from contextlib import suppress

_MOST = 1_000  # conversations that are known to be in vain


class Grown:
    """Conversations whose histories are to be compacted, as their turns have seen.

    `is_watched`: somebody in this process waits for them.
    """

    def __init__(self) -> None:
        self.is_watched = False
        self._conversations = OrderedDict[int, int]()
        self._in_vain = OrderedDict[int, int]()  # until which message they are not heeded
        self._changed = asyncio.Event()

    def add(self, conversation_id: int, last_seq: int) -> None:
        """This one has grown; not heeded soon after it was looked at in vain."""
        if last_seq >= self._in_vain.get(conversation_id, 0):
            self._conversations[conversation_id] = last_seq
            self.wake()

    def ignore(self, conversation_id: int, *, until: int) -> None:
        """There was nothing to be done about it: not to be heeded before this message."""
        self._in_vain[conversation_id] = until
        self._in_vain.move_to_end(conversation_id)
        if len(self._in_vain) > _MOST:
            self._in_vain.popitem(last=False)

    def wake(self) -> None:
        """Let whoever waits look."""
        self._changed.set()

    async def wait(self, seconds: float) -> None:
        """Until one has grown, or for so long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._changed.wait()

    def take(self) -> tuple[int, int] | None:
        """One that has grown since, with its newest message then; None if there is none."""
        if self._conversations:
            return self._conversations.popitem(last=False)
        self._changed.clear()
        return None
