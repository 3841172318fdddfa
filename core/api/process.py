"""The runtime of a Python program that uses agents: opened at first use in an event loop."""

from __future__ import annotations

import asyncio
from weakref import WeakKeyDictionary

from core.config.settings import from_environment
from core.runtime import Runtime


class _Process:
    """Remembers the runtimes that it has opened, by the event loop that each belongs to."""

    def __init__(self) -> None:
        self._own: dict[asyncio.AbstractEventLoop, Runtime] = {}
        self._opening = WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock]()

    async def opened(self) -> Runtime:
        """The runtime of this event loop, a bot's too; opened now if there is none yet."""
        loop = asyncio.get_running_loop()
        async with self._opening.setdefault(loop, asyncio.Lock()):
            if runtime := Runtime.running():
                return runtime
            await self._abandon()
            self._own[loop] = await Runtime.open(from_environment())
            return self._own[loop]

    async def close(self) -> None:
        """Close the runtime, if it was opened here; the next use opens it again."""
        if runtime := self._own.pop(asyncio.get_running_loop(), None):
            await runtime.close()
        await self._abandon()

    async def _abandon(self) -> None:
        """Let go of what belonged to event loops that are gone."""
        for loop in [loop for loop in self._own if loop.is_closed()]:
            if runtime := self._own.pop(loop, None):
                await runtime.abandon()


_process = _Process()


async def opened() -> Runtime:
    """The runtime of this process, or of this event loop where several threads have one.

    Raises:
        ConfigMistake: the environment or the agents file has errors.
        DatabaseUnusable, DatabaseBusy: the database cannot be used.
    """
    return await _process.opened()


async def close() -> None:
    """Close the database and the connections to models. A program that forgets to still exits."""
    await _process.close()
