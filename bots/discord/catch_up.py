"""Finds what was written while nobody listened, and lets it be answered once, oldest first."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

import discord

from bots.discord import parse
from bots.discord.door import Door
from bots.discord.failures import FAILURES, DiscordRefused, translated
from bots.discord.gaps import Gap, Gaps, Tracked
from bots.discord.spot import Spot, spot_of
from core.address import Address, Readers
from core.clock import Clock
from core.errors import ConfigMistake, Transient
from core.messaging.cursors import Cursors
from core.messaging.storing import storing
from core.turn.backlog import Backlog

log = logging.getLogger(__name__)

T = TypeVar("T")
Job = Callable[[discord.Client], Awaitable[None]]
Look = Callable[[discord.Client], Awaitable[list[Gap]]]

_AT_ONCE = 4  # channels
_MOST = 500  # messages of a channel: the newest
_RETRY_SECONDS = 5.0
_HISTORY_SECONDS = 60.0


class CatchUp:
    """Works in the background; what comes in meanwhile is never kept waiting.

    A channel's or thread's cursor is the id of a message up to which everything was heard there.
    It moves while nothing is being caught up there, and some time after the message came, so
    that what Discord sends out of order came, too.
    """

    def __init__(
        self,
        door: Door,
        cursors: Cursors,
        clock: Clock,
        *,
        hours: float,
        me: int,
        backlog: Backlog,
    ) -> None:
        """`me` is the bot's user."""
        self._door = door
        self._cursors = cursors
        self._gaps = Gaps(cursors, clock, hours=hours, me=me)
        self._reads = hours > 0
        self._me = me
        self._turn = asyncio.Semaphore(_AT_ONCE)
        self._due: asyncio.Queue[Job] = asyncio.Queue()
        self._open = 0
        self._looking = 0
        self._backlog = backlog
        backlog.expect("discord")
        self._is_announced = False
        self._reading: set[int] = set()
        self._in_sync: dict[int | None, object] = {}
        self._wanted: dict[int | None, object] = {}
        self._fresh: dict[Address, int] = {}
        self._settled: dict[Address, int] = {}
        self.has_caught_up = asyncio.Event()

    def lost(self, shard: int, shards: int) -> None:
        """A session of this shard began: nothing is known of what was said before it."""
        for number in [each for each in self._wanted if each and (each >> 22) % shards == shard]:
            del self._wanted[number]
        if shard:  # direct messages come to the first one
            return
        now = self._gaps.now()
        self._server_behind(None, lambda client: self._gaps.in_directs(client, now))

    def behind(self, guild: discord.Guild) -> None:
        """Something may have been missed in this server, whose channels are known now."""
        announced = self._gaps.announced(guild)  # before anything comes in that is said later
        self._server_behind(guild.id, lambda client: self._gaps.in_server(client, guild, announced))

    def shown(self, channel: Tracked) -> None:
        """Something may have been missed in this channel or thread."""
        self._channel_behind(channel.id, lambda _: self._gaps.in_one(channel))

    def missed(self, spot: Spot) -> None:
        """Something that came in this channel or thread was left out."""
        self._channel_behind(spot.channel, lambda client: self._gaps.in_place(client, spot))

    def announced(self) -> None:
        """Every server was named."""
        self._is_announced = True
        self._check()

    def heard(self, spot: Spot, message: int) -> None:
        """A message that came in is stored."""
        if spot.guild is None and self._gaps.is_unknown(spot.channel):
            self._channel_behind(
                spot.channel, lambda client: self._gaps.in_direct(client, spot.channel)
            )
        if self._is_in_sync(spot):
            self._fresh[spot.cursor] = max(message, self._fresh.get(spot.cursor, 0))

    async def run(self, every: float) -> None:
        """Move the cursors of what was heard `every` so many seconds, until cancelled."""
        while True:
            await asyncio.sleep(every)
            due, self._settled, self._fresh = self._settled, self._fresh, {}
            for cursor, position in due.items():
                await self._advance(cursor, position)

    async def follow(self, client: discord.Client) -> None:
        """Catch up wherever this client says that something was missed, until cancelled."""
        self._due, self._open, self._looking = asyncio.Queue(), 0, 0
        self._reading.clear()
        async with asyncio.TaskGroup() as group:
            while True:
                job = await self._due.get()
                group.create_task(self._do(job, client))

    def _is_in_sync(self, spot: Spot) -> bool:
        wanted = self._wanted.get(spot.guild)
        is_whole = wanted is not None and self._in_sync.get(spot.guild) is wanted
        return is_whole and spot.channel not in self._reading

    def _server_behind(self, number: int | None, look: Look) -> None:
        self._wanted[number] = wish = object()

        async def job(client: discord.Client) -> None:
            await self._fill(client, look)
            self._in_sync[number] = wish

        self._add(job)

    def _channel_behind(self, channel: int, look: Look) -> None:
        self._reading.add(channel)

        async def job(client: discord.Client) -> None:
            await self._fill(client, look)
            self._reading.discard(channel)

        self._add(job)

    def _add(self, job: Job) -> None:
        self._open += 1
        self._looking += 1
        self._due.put_nowait(job)

    async def _do(self, job: Job, client: discord.Client) -> None:
        await job(client)
        self._open -= 1
        self._check()

    def _check(self) -> None:
        if self._is_announced and not self._looking:
            self._backlog.knows_all("discord")
        if self._is_announced and not self._open:
            self.has_caught_up.set()
            self._backlog.is_whole("discord")

    async def _fill(self, client: discord.Client, look: Look) -> None:
        async with self._turn:
            found = await self._insist(lambda: look(client)) or []
        if not self.has_caught_up.is_set():
            self._backlog.expect(*(gap.spot.address.key for gap in found))
        self._looking -= 1
        self._check()
        async with asyncio.TaskGroup() as group:
            for gap in sorted(found, key=lambda gap: -gap.last):  # where the newest is first
                group.create_task(self._read(gap, client))

    async def _read(self, gap: Gap, client: discord.Client) -> None:
        await self._channel(gap, client)
        self._backlog.has_read(gap.spot.address)

    async def _channel(self, gap: Gap, client: discord.Client) -> None:
        """Hear what was said there since, or, if nothing is caught up, let it be."""
        said = await self._insist(lambda: self._history(gap)) if self._reads else []
        if said is None:
            return
        spot = gap.spot
        if said and spot.parent and spot.readers is Readers.UNKNOWN:
            spot = await self._insist(lambda: _looked_at(client, spot)) or spot
        news = 0
        for message in said:
            news += await self._hear(message, spot)
        await self._advance(gap.spot.cursor, max([gap.last, *(each.id for each in said)]))
        if len(said) == _MOST:
            extra = {"channel": gap.spot.channel, "newest": _MOST}
            log.warning("more was missed than is caught up", extra=extra)
        if news:
            log.info("caught up", extra={"channel": gap.spot.channel, "messages": news})

    async def _history(self, gap: Gap) -> list[discord.Message]:
        """In its turn: a channel that cannot be read keeps no other one waiting."""
        async with self._turn:
            return await _history(gap)

    async def _hear(self, said: discord.Message, spot: Spot) -> bool:
        try:
            heard = parse.message(said, spot, self._me)
        except parse.MALFORMED as error:
            log.warning("message not understood", extra={"why": type(error).__name__})
            return False
        return bool(heard and await self._insist(lambda: self._door.hear(heard)))

    async def _advance(self, cursor: Address, position: int) -> None:
        await self._insist(lambda: _stored(self._cursors.advance(cursor, position)))

    async def _insist(self, call: Callable[[], Awaitable[T]]) -> T | None:
        """Make the call until it works; None where Discord will not have it."""
        while True:
            try:
                return await call()
            except Transient as later:
                log.warning("catching up is put off", extra={"why": str(later)})
                await asyncio.sleep(later.retry_after or _RETRY_SECONDS)
            except (DiscordRefused, ConfigMistake) as refused:
                log.warning("cannot catch up", extra={"why": str(refused)})
                return None


async def _looked_at(client: discord.Client, spot: Spot) -> Spot:
    """The same thread with its readers: what is remembered of it does not tell them."""
    try:
        return spot_of(await client.fetch_channel(spot.channel)) or spot
    except FAILURES as error:
        raise translated(error, f"channel {spot.channel}") from error


async def _history(gap: Gap) -> list[discord.Message]:
    """What was said after the start, oldest first; if that is too much, the newest of it."""
    after = discord.Object(gap.start)
    try:
        pages = gap.channel.history(limit=_MOST, after=after, oldest_first=False)
        async with asyncio.timeout(_HISTORY_SECONDS):
            said = [message async for message in pages]
    except FAILURES as error:
        raise translated(error, f"the history of {gap.spot.channel}") from error
    except (RuntimeError, *parse.MALFORMED) as error:  # closed meanwhile; not as described
        raise DiscordRefused(f"the history of {gap.spot.channel}", 0) from error
    said.reverse()
    return said


async def _stored(work: Awaitable[T]) -> T:
    with storing():
        return await work
