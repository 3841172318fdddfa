"""Finds channels with missed messages: compares their newest message with the cursor."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta

import discord
from discord.utils import time_snowflake

from bots.discord.channels import Location, ReplyTo, location_of, server_address
from core.address import Address
from core.clock import Clock
from core.messaging.cursors import Cursors
from core.messaging.storing import storing

log = logging.getLogger(__name__)

_ACTIVE = timedelta(days=7)
_MOST_QUESTIONS = 1_000  # the newest, whose threads are looked for
_MOST_UNSEEN = 200  # archived threads, or direct messages, whose newest message is not known
_MOST_DIRECTS = 1_000
_CACHE_SIZE = 10_000

Tracked = discord.TextChannel | discord.VoiceChannel | discord.StageChannel | discord.Thread


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Messages after `start` are to be read; `last` is the newest one's id, 0 if not known."""

    location: Location
    channel: discord.abc.Messageable
    start: int
    last: int = 0

    @property
    def address(self) -> Address:
        """Nothing is answered there before it is read."""
        return self.location.address


@dataclass(frozen=True, slots=True, kw_only=True)
class Announced:
    """The newest message of a server, and of each channel and thread that the bot may read."""

    newest: int
    channels: tuple[tuple[Location, Tracked, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """The cursors of a server's channels; nothing before the id `floor` is read."""

    cursors: Mapping[str, int]
    floor: int

    def gap(
        self, location: Location, channel: discord.abc.Messageable, last: int | None
    ) -> Gap | None:
        """The gap there, None if nothing was missed; `last` is None if not known."""
        cursor = self.cursors.get(location.cursor.key)
        if last is not None and last <= max(cursor or 0, self.floor):
            return None
        # Messages that came out of order have ids above the cursor, too: it moves some time later.
        start = max(cursor or 0, self.floor)
        return Gap(location=location, channel=channel, start=start, last=last or 0)


class MissedMessages:
    """Compares newest messages with cursors.

    Each server has a cursor, too: the newest message there when the bot first saw the server. This
    one never moves.
    """

    def __init__(self, cursors: Cursors, clock: Clock, *, hours: float, me: int) -> None:
        """Nothing older than `hours` is looked for; `me` is the bot's user id."""
        self._cursors = cursors
        self._clock = clock
        self._most = timedelta(hours=hours)
        self._me = me
        self._first: dict[int | None, int] = {}
        self._directs: set[int] = set()
        self._warned: set[int] = set()

    def announced(self, guild: discord.Guild) -> Announced:
        """The newest messages of a server by now."""
        newest = self._first_newest(guild.id, newest_of(guild))
        return Announced(newest=newest, channels=tuple(self._readable(guild)))

    async def in_server(
        self, client: discord.Client, guild: discord.Guild, announced: Announced
    ) -> list[Gap]:
        """The gaps of all channels and threads, as they were announced.

        Raises:
            NotStored: the database refused, or is busy.
        """
        known = await self._known(guild, announced.newest)
        found = [known.gap(*each) for each in announced.channels]
        threads = await self._archived(guild)
        found += [known.gap(location, _channel_of(client, location), None) for location in threads]
        return [gap for gap in found if gap]

    async def in_channel(self, channel: Tracked) -> list[Gap]:
        """The gap of one channel or thread. Raises as `in_server` does."""
        known = await self._known(channel.guild, newest_of(channel.guild))
        found = [known.gap(*each) for each in self._readable(channel.guild, channel)]
        return [gap for gap in found if gap]

    async def in_location(self, client: discord.Client, location: Location) -> list[Gap]:
        """The gap of one that discord.py may not know. Raises as `in_server` does."""
        guild = client.get_guild(location.guild or 0)
        if guild is None:
            return []
        known = await self._known(guild, newest_of(guild))
        gap = known.gap(location, _channel_of(client, location), None)
        return [gap] if gap else []

    async def in_direct(self, client: discord.Client, channel: int) -> list[Gap]:
        """The gap of a new direct message channel. Raises as `in_server` does."""
        known = await self._known_directs(self.now())
        location = Location(guild=None, channel=channel)
        gap = known.gap(location, _channel_of(client, location), None)
        return [gap] if gap else []

    def now(self) -> int:
        """About the id of a message that is written now."""
        return time_snowflake(self._clock())

    def is_unknown(self, direct: int) -> bool:
        """Whether these direct messages are new; only the first time."""
        if direct in self._directs:
            return False
        if len(self._directs) >= _CACHE_SIZE:
            self._directs.clear()
        self._directs.add(direct)
        return True

    async def in_directs(self, client: discord.Client, now: int) -> list[Gap]:
        """Of the direct messages that are known; `now` as `now`. Raises as `in_server` does."""
        known = await self._known_directs(now)
        with storing():
            since = self._clock() - _ACTIVE
            places = await self._cursors.places(
                server_address(None), since=since, limit=_MOST_UNSEEN
            )
        newest = sorted(known.cursors.items(), key=lambda each: -each[1])
        heard = [Address.parse(path) for path, _ in newest if path != server_address(None).key]
        channels = dict.fromkeys(int(place.parts[1]) for place in [*places, *heard])
        locations = [Location(guild=None, channel=each) for each in [*channels][:_MOST_DIRECTS]]
        self._directs |= {location.channel for location in locations}
        found = [known.gap(location, _channel_of(client, location), None) for location in locations]
        return [gap for gap in found if gap]

    async def _archived(self, guild: discord.Guild) -> list[Location]:
        """Threads with a question in them that are archived now."""
        with storing():
            since = self._clock() - _ACTIVE
            asked = await self._cursors.threads(
                server_address(guild.id), since=since, limit=_MOST_QUESTIONS
            )
        locations = [
            location
            for place, reply_to in asked
            if (location := _thread(guild.id, place, reply_to))
        ]
        active = {thread.id for thread in guild.threads}
        gone = [location for location in locations if location.channel not in active]
        return list(dict.fromkeys(gone))[:_MOST_UNSEEN]

    def _readable(
        self, guild: discord.Guild, only: Tracked | None = None
    ) -> Iterator[tuple[Location, Tracked, int]]:
        for channel in [only] if only else _tracked(guild):
            location = location_of(channel)
            if location and self._may_read(channel):
                yield location, channel, channel.last_message_id or 0

    def _may_read(self, channel: Tracked) -> bool:
        """Without this permission, Discord answers with an empty history and no error."""
        me = channel.guild.get_member(self._me)
        if me is None or (isinstance(channel, discord.Thread) and channel.parent is None):
            return True
        may = channel.permissions_for(me)
        if may.view_channel and not may.read_message_history and channel.id not in self._warned:
            self._warned.add(channel.id)
            log.warning(
                "what is missed here cannot be found: give the bot the permission Read Message "
                "History",
                extra={"channel": channel.name, "id": channel.id, "server": channel.guild.name},
            )
        return may.view_channel and may.read_message_history

    async def _known(self, guild: discord.Guild, newest: int) -> _Known:
        with storing():
            cursors = await self._cursors.below(server_address(guild.id))
            first = cursors.get(server_address(guild.id).key)
            if first is None:
                first = self._first_newest(guild.id, newest)
                await self._cursors.advance(server_address(guild.id), first)
        return _Known(cursors=cursors, floor=max(first, self._oldest(), self._joined(guild)))

    async def _known_directs(self, now: int) -> _Known:
        with storing():
            cursors = await self._cursors.below(server_address(None))
            first = cursors.get(server_address(None).key)
            if first is None:
                first = self._first_newest(None, now)
                await self._cursors.advance(server_address(None), first)
        return _Known(cursors=cursors, floor=max(first, self._oldest()))

    def _first_newest(self, number: int | None, newest: int) -> int:
        """The newest message when this process first saw the server.

        A connection may end before it is stored; messages since then have to be answered all
        the same.
        """
        return self._first.setdefault(number, newest)

    def _oldest(self) -> int:
        return time_snowflake(self._clock() - self._most)

    def _joined(self, guild: discord.Guild) -> int:
        """When the bot joined, as an id. Earlier messages are not read, after a rejoin neither."""
        me = guild.get_member(self._me)
        return time_snowflake(me.joined_at) if me and me.joined_at else 0


def newest_of(guild: discord.Guild) -> int:
    """The id of the newest message in the server."""
    return max([guild.id, *(channel.last_message_id or 0 for channel in _tracked(guild))])


def _tracked(guild: discord.Guild) -> Iterator[Tracked]:
    """The channels and active threads of which Discord tells the newest message."""
    yield from guild.text_channels
    yield from guild.voice_channels
    yield from guild.stage_channels
    yield from guild.threads


def _thread(guild: int, place: Address, reply_to: str) -> Location | None:
    """The thread that an answer was posted in; None if it was posted in the channel."""
    try:
        stands_in, parent = ReplyTo.parse(reply_to).channel, int(place.parts[1])
    except ValueError:
        return None
    is_thread = stands_in != parent
    return Location(guild=guild, channel=stands_in, parent=parent) if is_thread else None


def _channel_of(client: discord.Client, location: Location) -> discord.PartialMessageable:
    return client.get_partial_messageable(location.channel, guild_id=location.guild)
