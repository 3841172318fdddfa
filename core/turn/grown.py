"""Which histories have grown, as turns have seen: told to whoever compacts in this process."""

from __future__ import annotations

import asyncio
from contextlib import suppress


class Grown:
    """Conversations whose histories are to be compacted, as their turns have seen.

    `is_watched`: somebody in this process waits for them.
    """

    def __init__(self) -> None:
        self.is_watched = False
        self._conversations = set[int]()
        self._changed = asyncio.Event()

    def add(self, conversation_id: int) -> None:
        """This one has grown."""
        self._conversations.add(conversation_id)
        self.wake()

    def wake(self) -> None:
        """Let whoever waits look."""
        self._changed.set()

    async def wait(self, seconds: float) -> None:
        """Until one has grown, or for so long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._changed.wait()

    def take(self) -> list[int]:
        """Those that have grown since."""
        taken = sorted(self._conversations)
        self._conversations.clear()
        self._changed.clear()
        return taken
