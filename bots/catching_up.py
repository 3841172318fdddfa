"""How far catching up has come on any platform: what is read, and which answers wait for it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Protocol, TypeVar

from bots.hearing import insist
from core.address import Address
from core.messaging.cursors import Cursors
from core.messaging.storing import storing
from core.turn.backlog import Backlog

T = TypeVar("T")


class Gap(Protocol):
    """Where something may have been missed."""

    @property
    def address(self) -> Address:
        """Nothing is answered there, or below, before it is read."""
        ...


G = TypeVar("G", bound=Gap)


class CatchingUp:
    """How far a platform's catching up has come; answers to what came later wait for that.

    Until it is known which places have gaps, the whole platform waits. Only what was missed before
    the start is waited for.
    """

    def __init__(self, platform: str, cursors: Cursors, backlog: Backlog) -> None:
        self.has_ended = asyncio.Event()
        self._platform = platform
        self._cursors = cursors
        self._backlog = backlog
        backlog.expect(platform)

    def expect(self, *places: Address) -> None:
        """These are going to be read."""
        if not self.has_ended.is_set():
            self._backlog.expect(*(place.key for place in places))

    def knows_all(self) -> None:
        """Every place that is to be read is expected."""
        self._backlog.knows_all(self._platform)

    def has_read(self, place: Address) -> None:
        """What was missed there is stored."""
        self._backlog.has_read(place)

    def end(self) -> None:
        """Everything that was missed before the start is stored."""
        if not self.has_ended.is_set():
            self.has_ended.set()
            self._backlog.is_whole(self._platform)

    async def read(self, gaps: Iterable[G], read: Callable[[G], Awaitable[int]]) -> int:
        """Begin with the first; one that takes long keeps no other one waiting.

        `read` stores what was missed in a gap, oldest first, and returns how much of it was new;
        returns that of all.
        """

        async def read_one(gap: G) -> int:
            news = await read(gap)
            self.has_read(gap.address)
            return news

        async with asyncio.TaskGroup() as group:
            reading = [group.create_task(read_one(gap)) for gap in gaps]
        return sum(task.result() for task in reading)

    async def advance(self, cursor: Address, position: int) -> None:
        """Everything at this address was heard up to there."""
        await ask_database(lambda: self._cursors.advance(cursor, position))


async def ask_database(ask: Callable[[], Awaitable[T]]) -> T | None:
    """Ask the database until it answers."""

    async def once() -> T:
        with storing():
            return await ask()

    return await insist(once)
