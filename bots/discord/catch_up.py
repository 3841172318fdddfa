"""Catches up on messages that came while the bot was not connected, the oldest first."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary

import discord

from bots.catching_up import CatchingUp, ask_database
from bots.discord import parse
from bots.discord.channels import Location, location_of
from bots.discord.dispatch import Dispatcher
from bots.discord.failures import FAILURES, MALFORMED, DiscordRefused, translated
from bots.discord.missed_messages import Gap, MissedMessages, Tracked
from bots.discord.parse import Deleted, Edited
from bots.discord.waiting_messages import news_of
from bots.hearing import insist
from core.address import Address, Readers
from core.clock import Clock
from core.messaging.cursors import Cursors
from core.turn.backlog import Backlog

log = logging.getLogger(__name__)

Job = Callable[[discord.Client], Awaitable[None]]
Look = Callable[[discord.Client], Awaitable[list[Gap]]]

_AT_ONCE = 16  # servers that are looked at, and channels that are read, at a time
_AT_ONCE_IN_ONE = 4  # server
_MOST = 500  # messages of a channel: the newest
_MOST_WAITING = 200  # messages
_HISTORY_SECONDS = 60.0


class CatchUp:
    """Reads channels in the background, while new messages are stored as they come.

    The cursor of a channel or thread is a message id up to which everything there is stored. It
    moves only while nothing is read there, and some seconds after a message is stored: Discord may
    send an earlier message later.
    """

    def __init__(
        self,
        dispatcher: Dispatcher,
        cursors: Cursors,
        clock: Clock,
        *,
        hours: float,
        me: int,
        backlog: Backlog,
    ) -> None:
        """Reads what is younger than `hours`, nothing for 0; `me` is the bot's user id."""
        self._dispatcher = dispatcher
        self._missed = MissedMessages(cursors, clock, hours=hours, me=me)
        self._reads = hours > 0
        self._me = me
        self._looks = asyncio.Semaphore(_AT_ONCE)
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._servers: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()
        self._due: asyncio.Queue[Job] = asyncio.Queue()
        self._open = 0
        self._looking = 0
        self._progress = CatchingUp("discord", cursors, backlog)
        self.has_caught_up = self._progress.has_ended
        self._knows_servers = False
        self._reading: set[int] = set()
        # By server, None for direct messages: the check asked for last, and the one done last.
        self._asked: dict[int | None, object] = {}
        self._done: dict[int | None, object] = {}
        self._stored_ids: dict[Address, int] = {}
        self._due_ids: dict[Address, int] = {}

    def session_began(self, shard: int, shards: int) -> None:
        """A shard has a new session: Discord does not send what came before it."""
        for number in [each for each in self._asked if each and (each >> 22) % shards == shard]:
            del self._asked[number]
        if shard:  # direct messages come to shard 0
            return
        self._add(self._look_at_waiting)
        now = self._missed.now()
        self._check_server(None, lambda client: self._missed.in_directs(client, now))

    def check_server(self, guild: discord.Guild) -> None:
        """Look for missed messages in a server, whose channels are known now."""
        announced = self._missed.announced(guild)  # before any later message is stored
        self._check_server(
            guild.id, lambda client: self._missed.in_server(client, guild, announced)
        )

    def check_channel(self, channel: Tracked) -> None:
        """Look for missed messages in one channel or thread."""
        self._check_channel(channel.id, lambda _: self._missed.in_channel(channel))

    def check_location(self, location: Location) -> None:
        """Look for messages here that came but were left out."""
        self._check_channel(
            location.channel, lambda client: self._missed.in_location(client, location)
        )

    def all_servers_known(self) -> None:
        """The gateway has sent all servers of the bot."""
        self._knows_servers = True
        self._check()

    def stored(self, location: Location, message: int) -> None:
        """A message from the gateway is stored."""
        if location.guild is None and self._missed.is_unknown(location.channel):
            self._check_channel(
                location.channel, lambda client: self._missed.in_direct(client, location.channel)
            )
        if self._is_in_sync(location):
            self._stored_ids[location.cursor] = max(
                message, self._stored_ids.get(location.cursor, 0)
            )

    async def run(self, every: float) -> None:
        """Move the cursors to the stored messages `every` so many seconds, until cancelled."""
        while True:
            await asyncio.sleep(every)
            due, self._due_ids, self._stored_ids = self._due_ids, self._stored_ids, {}
            for cursor, position in due.items():
                await self._progress.advance(cursor, position)

    async def follow(self, client: discord.Client) -> None:
        """Do what the other methods have asked for, with this client, until cancelled."""
        self._due, self._open, self._looking = asyncio.Queue(), 0, 0
        self._reading.clear()
        async with asyncio.TaskGroup() as group:
            while True:
                job = await self._due.get()
                group.create_task(self._do(job, client))

    async def _look_at_waiting(self, client: discord.Client) -> None:
        """See what became of messages that still wait: they may have been edited or deleted."""
        keys = await ask_database(lambda: self._dispatcher.unanswered(_MOST_WAITING)) or []
        async with asyncio.TaskGroup() as group:
            for key in keys:
                group.create_task(self._look_at(client, key))
        self._looking -= 1

    @asynccontextmanager
    async def _slot(self, path: str) -> AsyncGenerator[None]:
        """One of the few to read at this address; a server out of reach never has them all."""
        server = Address.parse(path).parts[0]
        of_one = self._servers.setdefault(server, asyncio.Semaphore(_AT_ONCE_IN_ONE))
        async with of_one, self._slots:
            yield

    async def _look_at(self, client: discord.Client, key: str) -> None:
        if event := await insist(lambda: self._news_of(client, key)):
            await insist(lambda: self._dispatcher.dispatch(event))

    async def _news_of(self, client: discord.Client, key: str) -> Edited | Deleted | None:
        """Holds one of the few slots only while it asks."""
        async with self._slot(key):
            return await news_of(client, key, self._me)

    def _is_in_sync(self, location: Location) -> bool:
        """Whether everything there before the newest message is stored."""
        asked = self._asked.get(location.guild)
        is_checked = asked is not None and self._done.get(location.guild) is asked
        return is_checked and location.channel not in self._reading

    def _check_server(self, number: int | None, look: Look) -> None:
        self._asked[number] = check = object()

        async def job(client: discord.Client) -> None:
            await self._catch_up(client, look)
            self._done[number] = check

        self._add(job)

    def _check_channel(self, channel: int, look: Look) -> None:
        self._reading.add(channel)

        async def job(client: discord.Client) -> None:
            await self._catch_up(client, look)
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
        if self._knows_servers and not self._looking:
            self._progress.knows_all()
        if self._knows_servers and not self._open:
            self._progress.end()

    async def _catch_up(self, client: discord.Client, look: Look) -> None:
        found = await insist(lambda: self._looked(client, look)) or []
        self._progress.expect(*(gap.address for gap in found))
        self._looking -= 1
        self._check()
        newest_first = sorted(found, key=lambda gap: -gap.last)
        await self._progress.read(newest_first, lambda gap: self._read(gap, client))

    async def _looked(self, client: discord.Client, look: Look) -> list[Gap]:
        async with self._looks:
            return await look(client)

    async def _read(self, gap: Gap, client: discord.Client) -> int:
        """Store a gap's messages, and move the cursor behind them; returns how many were new."""
        said = await insist(lambda: self._history(gap)) if self._reads else []
        if said is None:
            return 0
        location = gap.location
        if said and location.parent and location.readers is Readers.UNKNOWN:
            location = await insist(lambda: _with_readers(client, location)) or location
        news = 0
        for message in said:
            news += await self._hear(message, location)
        newest = max([gap.last, *(each.id for each in said)])
        await self._progress.advance(gap.location.cursor, newest)
        if len(said) == _MOST:
            extra = {"channel": gap.location.channel, "newest": _MOST}
            log.warning("more messages were missed than are caught up on", extra=extra)
        if news:
            log.info("caught up", extra={"channel": gap.location.channel, "messages": news})
        return news

    async def _history(self, gap: Gap) -> list[discord.Message]:
        """The messages of a gap; holds one of the few slots only while it reads."""
        async with self._slot(gap.location.cursor.key):
            return await _history(gap)

    async def _hear(self, said: discord.Message, location: Location) -> bool:
        try:
            heard = parse.message(said, location, self._me)
        except MALFORMED as error:
            log.warning("message not understood", extra={"why": type(error).__name__})
            return False
        return bool(heard and await insist(lambda: self._dispatcher.hear(heard)))


async def _with_readers(client: discord.Client, location: Location) -> Location:
    """The same thread with its readers, which the database does not know."""
    try:
        return location_of(await client.fetch_channel(location.channel)) or location
    except FAILURES as error:
        raise translated(error, f"channel {location.channel}") from error


async def _history(gap: Gap) -> list[discord.Message]:
    """The newest 500 messages after the gap's start, the oldest of them first."""
    after = discord.Object(gap.start)
    try:
        pages = gap.channel.history(limit=_MOST, after=after, oldest_first=False)
        async with asyncio.timeout(_HISTORY_SECONDS):
            said = [message async for message in pages]
    except FAILURES as error:
        raise translated(error, f"the history of {gap.location.channel}") from error
    except (RuntimeError, *MALFORMED) as error:  # closed meanwhile; not as described
        raise DiscordRefused(f"the history of {gap.location.channel}", 0) from error
    said.reverse()
    return said
