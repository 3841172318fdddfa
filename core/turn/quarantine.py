"""Who is answered in this process: many turns beside each other, or one alone."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager, suppress
from contextvars import ContextVar
from datetime import datetime, timedelta

from core.clock import monotonic
from core.errors import Postponed
from storage import cursors
from storage.errors import StorageError

_CALM_SECONDS = 5.0
_AFTER_ANOTHER_SECONDS = (1.0, 3.0)  # at least, at most
_LEFT = "turn/left"  # the cursor that tells when work was last seen to have been left

_within = ContextVar("whether this is done for a turn, as when a tool asks an agent", default=False)


class Quarantine:
    """Turns that may end their process are tried alone, one after the other.

    A process that has just begun tries none: where processes end all the time it would be no
    proof that one ended by the turn, and meanwhile the other turns are answered. What may convict
    a turn waits, besides, until no process was seen to end for as long.
    """

    def __init__(self, *, calm_seconds: float = _CALM_SECONDS) -> None:
        self._calm = timedelta(seconds=calm_seconds)
        self._old_enough_at = self._calm_at = monotonic() + calm_seconds
        self._beside = 0
        self._is_empty = asyncio.Event()
        self._is_empty.set()
        self._is_open = asyncio.Event()
        self._is_open.set()

    @property
    def is_within(self) -> bool:
        """Whether the present task works for a turn of this process already."""
        return _within.get()

    async def disturbed(self, now: datetime) -> None:
        """A process was seen to have left what it worked on: let all that there are know it."""
        self._calm_at = monotonic() + self._calm.total_seconds()
        with suppress(StorageError):  # this process knows it all the same
            await cursors.see(_LEFT, now.isoformat(), now)

    async def expect_calm(self, now: datetime) -> None:
        """Before a turn is tried alone for the last time, or given up.

        Raises:
            Postponed: a process has just begun, or one was seen to have left its work.
        """
        _put_off(self._calm_at - monotonic())
        if left := await cursors.last_seen(_LEFT):
            wait = datetime.fromisoformat(left) + self._calm - now
            if wait <= 2 * self._calm:  # else it was told by a wrong clock
                _put_off(wait.total_seconds())

    @asynccontextmanager
    async def beside(self) -> AsyncGenerator[None]:
        """Beside others, as soon as none is tried alone; at once within a turn that goes on."""
        while not (self._is_open.is_set() or self.is_within):
            await self._is_open.wait()
        self._beside += 1
        self._is_empty.clear()
        try:
            with _inside():
                yield
        finally:
            self._beside -= 1
            if not self._beside:
                self._is_empty.set()

    @asynccontextmanager
    async def alone(self) -> AsyncGenerator[None]:
        """Alone: whoever is answered is waited for, whoever comes waits.

        Raises:
            Postponed: another one is tried alone, or this process has just begun.
        """
        if self.is_within or not self._is_open.is_set():
            wait = random.uniform(*_AFTER_ANOTHER_SECONDS)  # noqa: S311  # no secret
            raise Postponed("another turn that was interrupted is tried alone", retry_after=wait)
        _put_off(self._old_enough_at - monotonic())
        self._is_open.clear()
        try:
            await self._is_empty.wait()
            with _inside():
                yield
        finally:
            self._is_open.set()


def _put_off(seconds: float) -> None:
    if seconds > 0:
        raise Postponed("a turn that was interrupted waits until it is calm", retry_after=seconds)


@contextmanager
def _inside() -> Generator[None]:
    outer = _within.set(True)
    try:
        yield
    finally:
        _within.reset(outer)
