"""Compacts what has grown and learns from what is quiet, beside the answers of a process."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta

from core import kill_points
from core.errors import MooringsError
from core.isolation import contained
from core.turn.compaction import carry_out, due_over, quiet_over
from core.turn.grown_histories import Grown
from core.turn.resources import Resources
from storage import compactions, cursors, stretches
from storage.compactions import Stretch
from storage.errors import DatabaseBusy, StorageError
from storage.side_models import Compaction

log = logging.getLogger(__name__)

_AT_ONCE = 2  # compactions of one process
_LOOK_SECONDS = 60.0  # between two looks for what others left
_QUIET_SECONDS = 300.0  # … and for what has become quiet
_QUIET = timedelta(hours=1)
_BACK = timedelta(days=1)  # that the first look of all goes back
_CURSOR = "quiet"
_SOON = 10  # messages, where another process seems to be at work
_LEFT = "compaction left"

Look = Callable[[Resources, int], Awaitable[Stretch | None]]  # what is due in a conversation


async def _wake_at(stop: asyncio.Event, grown: Grown) -> None:
    await stop.wait()
    grown.wake()


class Compactor:
    """Nobody waits for it: what it does not come to stays as it is, and is cut without it."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._slots = asyncio.Semaphore(_AT_ONCE)

    async def run(self, stop: asyncio.Event) -> None:
        """What turns have seen to have grown, what others left, and what is quiet, until `stop`.

        Cancelled, it gives what it has not finished to the next process.
        """
        grown = self._resources.grown
        grown.is_watched = True
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(_wake_at(stop, grown))
                group.create_task(self._learn(stop))
                for _ in range(_AT_ONCE):
                    group.create_task(self._work(stop))
        finally:
            grown.is_watched = False

    async def _work(self, stop: asyncio.Event) -> None:
        """One after the other, until `stop`: the rest is seen again by turns, or is on record."""
        grown = self._resources.grown
        while not stop.is_set():
            for number in await self._left():
                if not stop.is_set():
                    await self._take_up(number)
            while not stop.is_set() and (taken := grown.take()):
                await self.compact(*taken)
            await grown.wait(_LOOK_SECONDS * random.uniform(0.8, 1.2))  # noqa: S311  # no secret

    async def settle(self) -> None:
        """Compact what has grown, where nobody runs."""
        while taken := self._resources.grown.take():
            await self.compact(*taken)

    async def compact(self, conversation_id: int, last_seq: int) -> None:
        """Compact this history, if it has grown and nobody does it already."""
        later = await self._do(due_over, conversation_id)
        if later != 0:
            self._resources.grown.ignore(conversation_id, until=last_seq + (later or _SOON))

    async def _learn(self, stop: asyncio.Event) -> None:
        """From what has become quiet, now and then: replicas do not look in step."""
        while not stop.is_set():
            async with _alone_with_its_failures("not looked for what is quiet", {}):
                await self.look_for_quiet(stop)
            with suppress(TimeoutError):
                async with asyncio.timeout(_QUIET_SECONDS * random.uniform(0.8, 1.2)):  # noqa: S311  # no secret
                    await stop.wait()

    async def look_for_quiet(self, stop: asyncio.Event) -> None:
        """Learn from conversations in which nobody has spoken for an hour, until `stop`.

        How far was looked is written when all that was found was looked at, and what is due is on
        record: what the database refused to tell is asked again.

        Raises:
            DatabaseBusy, DatabaseUnusable: it is looked again from there.
        """
        until = self._resources.clock() - _QUIET
        seen = await cursors.last_seen(_CURSOR)
        since = datetime.fromisoformat(seen) if seen else until - _BACK
        is_whole = True
        for conversation_id in await stretches.ended_between(since, until):
            if stop.is_set():
                return
            if await stretches.is_quiet_since(conversation_id, until):
                is_whole &= await self._do(quiet_over, conversation_id) is not None
        if is_whole:
            await cursors.see(_CURSOR, until.isoformat(), self._resources.clock())

    async def _left(self) -> list[int]:
        found = list[int]()
        async with _alone_with_its_failures("cannot look for compactions", {}):
            found += await compactions.waiting(self._resources.clock(), limit=_AT_ONCE)
        return found

    async def _take_up(self, number: int) -> None:
        """What somebody left, or put off until now."""
        resources = self._resources
        async with self._slots, _alone_with_its_failures(_LEFT, {"compaction": number}):
            row = await compactions.claim(
                number,
                owner=resources.owner,
                now=resources.clock(),
                seconds=resources.lease_seconds,
            )
            if row:
                await self._under_lease(row)

    async def _do(self, look: Look, conversation_id: int) -> int | None:
        """What is due there, unless somebody does it; how many messages later to look again.

        0: whenever it has grown again. None: the database failed.
        """
        later: int | None = _SOON
        extra = {"conversation": conversation_id}
        async with self._slots, _alone_with_its_failures(_LEFT, extra):
            try:
                later = await self._done(look, conversation_id)
            except (StorageError, OSError):
                later = None
                raise
        return later

    async def _done(self, look: Look, conversation_id: int) -> int:
        resources = self._resources
        stretch = await look(resources, conversation_id)
        if stretch is None:
            return compactions.AFTER_VAIN
        row = await compactions.open_over(
            stretch,
            owner=resources.owner,
            now=resources.clock(),
            seconds=resources.lease_seconds,
        )
        if row is None:
            return _SOON
        kill_points.reach("compaction opened")
        await self._under_lease(row)
        return 0 if await compactions.is_done(row) else compactions.AFTER_VAIN

    async def _under_lease(self, row: Compaction) -> None:
        """Carry it out, with its lease renewed meanwhile; cancelled, it is given back at once."""
        try:
            async with asyncio.TaskGroup() as group:
                keeper = group.create_task(self._keep(row))
                with contained():
                    await carry_out(self._resources, row)
                keeper.cancel()
        except ExceptionGroup as failures:
            error = failures.exceptions[0]
            if not isinstance(error, StorageError | OSError):  # it would break again
                with suppress(StorageError):
                    await compactions.leave_out(row, self._resources.clock())
            raise error from failures
        except asyncio.CancelledError:
            with suppress(StorageError):
                await compactions.put_off(row, self._resources.clock(), has_failed=False)
            raise

    async def _keep(self, row: Compaction) -> None:
        """Until somebody else has it: what is paid for is not cut by a database that is busy."""
        seconds = self._resources.lease_seconds
        while True:
            await asyncio.sleep(seconds / 3)
            try:
                await compactions.keep(row, self._resources.clock(), seconds)
            except DatabaseBusy as error:
                extra = {"compaction": row.id, "why": str(error)}
                log.warning("lease of a compaction not renewed", extra=extra)


@asynccontextmanager
async def _alone_with_its_failures(sentence: str, extra: Mapping[str, int]) -> AsyncGenerator[None]:
    """What fails takes nothing else down; what is on record is looked for again."""
    try:
        with contained():
            yield
    except (StorageError, MooringsError, OSError) as error:
        log.warning(sentence, extra={**extra, "why": str(error)})
    except Exception:
        log.exception(sentence, extra=dict(extra))
