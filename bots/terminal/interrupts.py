"""Ctrl-C: ends a wait, stops an answer, and twice in a row leaves."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine
from typing import TypeVar

from core.worker import Worker

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

    async def may_end(
        self, work: Coroutine[None, None, T], worker: Worker, conversation_id: int
    ) -> T:
        """The outcome of the work; meanwhile Ctrl-C stops the answer being written there.

        Raises:
            TimeoutError: the work was ended; what it held is handed over.
        """
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(None) as scope:
                loop.add_signal_handler(
                    signal.SIGINT, self._interrupt, scope, worker, conversation_id
                )
                return await work
        finally:
            loop.remove_signal_handler(signal.SIGINT)

    def _interrupt(self, scope: asyncio.Timeout, worker: Worker, conversation_id: int) -> None:
        """The first one ends the whole wait only where no answer is being written."""
        self.press()
        is_enough = not self.are_final and worker.interrupt(conversation_id)
        if not is_enough and not scope.expired():
            scope.reschedule(asyncio.get_running_loop().time())
