"""The one runtime of a Python program that uses agents: opened at first use."""

from __future__ import annotations

import asyncio

from core.runtime import Runtime
from core.settings import from_environment


class _Process:
    """Remembers the runtime and the event loop that it belongs to."""

    def __init__(self) -> None:
        self._runtime: Runtime | None = None
        self._abandoned: Runtime | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._opening = asyncio.Lock()

    async def opened(self) -> Runtime:
        """The runtime, opened now if it is not yet, or anew in a new event loop."""
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            self._abandoned, self._runtime = self._runtime, None
            self._loop, self._opening = loop, asyncio.Lock()
        async with self._opening:
            abandoned, self._abandoned = self._abandoned, None
            if abandoned:
                await abandoned.abandon()
            if self._runtime is None:
                self._runtime = await Runtime.open(from_environment())
            return self._runtime

    async def close(self) -> None:
        """Close the runtime, if it is open; the next use opens it again."""
        runtime, self._runtime = self._runtime, None
        if runtime and asyncio.get_running_loop() is self._loop:
            await runtime.close()
        elif runtime:
            await runtime.abandon()


_process = _Process()


async def opened() -> Runtime:
    """The runtime of this process.

    Raises:
        ConfigMistake: the environment or the agents file has errors.
        DatabaseUnusable, DatabaseBusy: the database cannot be used.
    """
    return await _process.opened()


async def close() -> None:
    """Close the database and the connections to models. A program that forgets to still exits."""
    await _process.close()
