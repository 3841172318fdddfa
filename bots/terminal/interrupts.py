"""Ctrl-C: ends a wait, stops an answer, and twice in a row leaves."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Coroutine
from typing import TypeVar

T = TypeVar("T")


class Interrupts:
    """Ctrl-C, counted while nothing is typed in between."""

    def __init__(self) -> None:
        self._count = 0

    @property
    def is_next_last(self) -> bool:
        """Whether one more leaves."""
        return self._count > 0

    @property
    def are_final(self) -> bool:
        """Whether the person wants to leave."""
        return self._count > 1

    def press(self) -> None:
        """Count one."""
        self._count += 1

    def forget(self) -> None:
        """Something was typed."""
        self._count = 0

    async def may_end(self, work: Coroutine[None, None, T], stop: Callable[[], bool]) -> T:
        """The outcome of the work; meanwhile the first Ctrl-C calls `stop`.

        Where `stop` returns False, or at the second Ctrl-C, the work is cancelled.

        Raises:
            TimeoutError: the work was cancelled; what it held is handed over.
        """
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(None) as scope:
                loop.add_signal_handler(signal.SIGINT, self._interrupt, scope, stop)
                return await work
        finally:
            loop.remove_signal_handler(signal.SIGINT)

    def _interrupt(self, scope: asyncio.Timeout, stop: Callable[[], bool]) -> None:
        self.press()
        is_enough = not self.are_final and stop()
        if not is_enough and not scope.expired():
            scope.reschedule(asyncio.get_running_loop().time())
