"""What has to be done now and then, by one of all processes: clear away what nobody needs."""

from __future__ import annotations

import asyncio
import logging
import random
from contextlib import aclosing, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from core.clock import Clock
from core.config.settings import Settings
from core.messaging.cursors import Cursors
from core.upkeep.retention import Retention, give_back
from core.upkeep.space import why_short
from storage import allowances, cursors, oauth_states
from storage.database import Database
from storage.errors import StorageError
from storage.retention import Pruned
from storage.sizes import space

log = logging.getLogger(__name__)

LOCK = "upkeep"  # whoever prunes holds it, too
_EVERY = timedelta(hours=1)
_LOOK_SECONDS = 300.0  # between two looks whether it is time
_CENTURY_HOURS = 876_000
_IDLE = timedelta(days=30)  # that a cursor has not moved


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    """What is kept: words for `words` (None: for ever), and what catch-up needs to look back."""

    words: timedelta | None
    catch_up: timedelta

    @classmethod
    def of(cls, settings: Settings) -> Keep:
        """What the operator wants to be kept."""
        days, hours = settings.retention_days, settings.catch_up_hours
        return cls(
            words=None if days is None else timedelta(days=days),
            catch_up=timedelta(hours=min(hours, _CENTURY_HOURS)),
        )


class Upkeep:
    """Every process looks, one of them does it, the database knows when it was done last.

    Each step is a transaction of its own and can be done twice: whoever dies in the middle
    leaves the rest to the next look.
    """

    def __init__(self, database: Database, clock: Clock, keep: Keep) -> None:
        self._database = database
        self._clock = clock
        self._keep = keep
        self._cursors = Cursors(clock)
        self._retention = Retention(clock, catch_up=keep.catch_up)

    async def run(self, stop: asyncio.Event) -> None:
        """Look now and then until `stop`; a database that fails is looked at again later."""
        while not await _stopped(stop):
            try:
                await self.look(stop)
            except (StorageError, OSError) as error:
                log.warning("upkeep is put off", extra={"why": str(error)})

    async def look(self, stop: asyncio.Event) -> bool:
        """Do it if it is time and nobody else does; cut short by `stop`, it is not done.

        Raises:
            DatabaseBusy, DatabaseUnusable: what was not done is done at the next look.
        """
        async with self._database.if_free(LOCK) as is_mine:
            if not is_mine or not await self._is_time():
                return False
            pruned = await self._do(stop)
            if stop.is_set():
                return False
            await cursors.see(LOCK, self._clock().isoformat(), self._clock())
        log.info("upkeep done", extra=pruned)
        if self._database.file:
            for why in why_short(await asyncio.to_thread(space, self._database.file)):
                log.warning("room runs short", extra={"why": why})
        return True

    async def _do(self, stop: asyncio.Event) -> dict[str, int]:
        """What was deleted, by kind."""
        states = await oauth_states.drop_expired(self._clock())
        idle = await allowances.drop_idle(self._clock())
        folded = await self._cursors.fold(max(_IDLE, 2 * self._keep.catch_up))
        pruned = Pruned()
        if self._keep.words is not None:
            async with aclosing(self._retention.prune(self._keep.words)) as rounds:
                async for so_far in rounds:
                    pruned = so_far
                    if stop.is_set():
                        break
        others = {"cursors": folded, "oauth_states": states, "allowances": idle}
        return {**pruned.counts, **others, "bytes": await self._give_back(stop)}

    async def _give_back(self, stop: asyncio.Event) -> int:
        """How many bytes were given back to the disk; servers see to that by themselves."""
        given = 0
        if self._database.file:
            async with aclosing(give_back()) as steps:
                async for so_far in steps:
                    given = so_far
                    if stop.is_set():
                        break
        return given

    async def _is_time(self) -> bool:
        """Clocks differ a little: a moment that has not come yet is not long ago."""
        done = await cursors.last_seen(LOCK)
        return done is None or abs(self._clock() - datetime.fromisoformat(done)) >= _EVERY


async def _stopped(stop: asyncio.Event) -> bool:
    """Wait for the next look, or for `stop`: replicas do not look in step."""
    with suppress(TimeoutError):
        async with asyncio.timeout(_LOOK_SECONDS * random.uniform(0.5, 1.5)):  # noqa: S311  # no secret
            await stop.wait()
    return stop.is_set()
