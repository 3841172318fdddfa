"""Where more was said than was heard: Discord tells the newest message of each channel."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta

import discord
from discord.utils import time_snowflake

from bots.discord.anchor import Anchor
from bots.discord.spot import Spot, server, spot_of
from core.address import Address
from core.clock import Clock
from core.messaging.cursors import Cursors
from core.messaging.storing import storing

log = logging.getLogger(__name__)

_ACTIVE = timedelta(days=7)
_MOST_LOOKED_AT = 1_000  # messages that are looked at for the threads they stand in
_MOST_KNOWN = 200  # threads of a server that are asked for unseen
_MOST_DIRECTS = 1_000
_MOST_KEPT = 10_000  # direct messages that are known; others are looked at once more

Tracked = discord.TextChannel | discord.VoiceChannel | discord.StageChannel | discord.Thread


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """What was said after `start` is to be read; `last` is the newest message, if it is known."""

    spot: Spot
    channel: discord.abc.Messageable
    start: int
    last: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Announced:
    """A server's newest message, and that of each channel and thread that may be read."""

    newest: int
    channels: tuple[tuple[Spot, Tracked, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """How far the channels of a server were heard; before `floor` nothing is anybody's question."""

    cursors: Mapping[str, int]
    floor: int

    def gap(self, spot: Spot, channel: discord.abc.Messageable, last: int | None) -> Gap | None:
        """What may have been missed there; `last` is None where the newest message is unknown."""
        cursor = self.cursors.get(spot.cursor.key)
        if last is not None and last <= max(cursor or 0, self.floor):
            return None
        start = max(cursor or 0, self.floor)  # it stays behind: what came out of order is in front
        return Gap(spot=spot, channel=channel, start=start, last=last or 0)


class Gaps:
    """The cursor of a server is its newest message when the bot first saw it, and never moves."""

    def __init__(self, cursors: Cursors, clock: Clock, *, hours: float, me: int) -> None:
        """Nothing older than `hours` is looked for; `me` is the bot's user."""
        self._cursors = cursors
        self._clock = clock
        self._most = timedelta(hours=hours)
        self._me = me
        self._first: dict[int | None, int] = {}
        self._directs: set[int] = set()
        self._warned: set[int] = set()

    def announced(self, guild: discord.Guild) -> Announced:
        """How far was said in a server by now."""
        newest = self._first_seen(guild.id, newest_of(guild))
        return Announced(newest=newest, channels=tuple(self._readable(guild)))

    async def in_server(
        self, client: discord.Client, guild: discord.Guild, announced: Announced
    ) -> list[Gap]:
        """Of all channels and threads, as they were announced.

        Raises:
            NotStored: the database refused, or is busy.
        """
        known = await self._known(guild, announced.newest)
        found = [known.gap(*each) for each in announced.channels]
        threads = await self._archived(guild)
        found += [known.gap(spot, _partial(client, spot), None) for spot in threads]
        return [gap for gap in found if gap]

    async def in_one(self, channel: Tracked) -> list[Gap]:
        """Of one channel or thread. Raises as `in_server` does."""
        known = await self._known(channel.guild, newest_of(channel.guild))
        found = [known.gap(*each) for each in self._readable(channel.guild, channel)]
        return [gap for gap in found if gap]

    async def in_place(self, client: discord.Client, spot: Spot) -> list[Gap]:
        """Of one channel or thread that discord.py may not know. Raises as `in_server` does."""
        guild = client.get_guild(spot.guild or 0)
        if guild is None:
            return []
        known = await self._known(guild, newest_of(guild))
        gap = known.gap(spot, _partial(client, spot), None)
        return [gap] if gap else []

    async def in_direct(self, client: discord.Client, channel: int) -> list[Gap]:
        """Of direct messages that nobody knew of. Raises as `in_server` does."""
        known = await self._known_directs(self.now())
        spot = Spot(guild=None, channel=channel)
        gap = known.gap(spot, _partial(client, spot), None)
        return [gap] if gap else []

    def now(self) -> int:
        """A message that is written now would have about this id."""
        return time_snowflake(self._clock())

    def is_unknown(self, direct: int) -> bool:
        """Whether these direct messages are new; only the first time."""
        if direct in self._directs:
            return False
        if len(self._directs) >= _MOST_KEPT:
            self._directs.clear()
        self._directs.add(direct)
        return True

    async def in_directs(self, client: discord.Client, now: int) -> list[Gap]:
        """Of the direct messages that are known; `now` as `now`. Raises as `in_server` does."""
        known = await self._known_directs(now)
        with storing():
            since = self._clock() - _ACTIVE
            places = await self._cursors.places(server(None), since=since, limit=_MOST_KNOWN)
        newest = sorted(known.cursors.items(), key=lambda each: -each[1])
        heard = [Address.parse(path) for path, _ in newest if path != server(None).key]
        channels = dict.fromkeys(int(place.parts[1]) for place in [*places, *heard])
        spots = [Spot(guild=None, channel=each) for each in [*channels][:_MOST_DIRECTS]]
        self._directs |= {spot.channel for spot in spots}
        found = [known.gap(spot, _partial(client, spot), None) for spot in spots]
        return [gap for gap in found if gap]

    async def _archived(self, guild: discord.Guild) -> list[Spot]:
        """Threads that somebody asked in and that are not active any more."""
        with storing():
            since = self._clock() - _ACTIVE
            asked = await self._cursors.threads(
                server(guild.id), since=since, limit=_MOST_LOOKED_AT
            )
        spots = [spot for place, reply_to in asked if (spot := _thread(guild.id, place, reply_to))]
        active = {thread.id for thread in guild.threads}
        gone = [spot for spot in spots if spot.channel not in active]
        return list(dict.fromkeys(gone))[:_MOST_KNOWN]

    def _readable(
        self, guild: discord.Guild, only: Tracked | None = None
    ) -> Iterator[tuple[Spot, Tracked, int]]:
        for channel in [only] if only else _tracked(guild):
            spot = spot_of(channel)
            if spot and self._may_read(channel):
                yield spot, channel, channel.last_message_id or 0

    def _may_read(self, channel: Tracked) -> bool:
        """Discord shows an empty history to who may not read it, and no error."""
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
            cursors = await self._cursors.below(server(guild.id))
            first = cursors.get(server(guild.id).key)
            if first is None:
                first = self._first_seen(guild.id, newest)
                await self._cursors.advance(server(guild.id), first)
        return _Known(cursors=cursors, floor=max(first, self._oldest(), self._joined(guild)))

    async def _known_directs(self, now: int) -> _Known:
        with storing():
            cursors = await self._cursors.below(server(None))
            first = cursors.get(server(None).key)
            if first is None:
                first = self._first_seen(None, now)
                await self._cursors.advance(server(None), first)
        return _Known(cursors=cursors, floor=max(first, self._oldest()))

    def _first_seen(self, number: int | None, newest: int) -> int:
        """What was newest when this process saw the server first, recorded or not by now.

        A connection may end before it is on record; what was said meanwhile is no old question.
        """
        return self._first.setdefault(number, newest)

    def _oldest(self) -> int:
        return time_snowflake(self._clock() - self._most)

    def _joined(self, guild: discord.Guild) -> int:
        """What was said before the bot came is nobody's question, also if it was there before."""
        me = guild.get_member(self._me)
        return time_snowflake(me.joined_at) if me and me.joined_at else 0


def newest_of(guild: discord.Guild) -> int:
    """The newest message in the server."""
    return max([guild.id, *(channel.last_message_id or 0 for channel in _tracked(guild))])


def _tracked(guild: discord.Guild) -> Iterator[Tracked]:
    """The channels and active threads whose newest message is known."""
    yield from guild.text_channels
    yield from guild.voice_channels
    yield from guild.stage_channels
    yield from guild.threads


def _thread(guild: int, place: Address, reply_to: str) -> Spot | None:
    """The thread that an answer stands in, if it does in one."""
    try:
        stands_in, parent = Anchor.parse(reply_to).channel, int(place.parts[1])
    except ValueError:
        return None
    is_thread = stands_in != parent
    return Spot(guild=guild, channel=stands_in, parent=parent) if is_thread else None


def _partial(client: discord.Client, spot: Spot) -> discord.PartialMessageable:
    return client.get_partial_messageable(spot.channel, guild_id=spot.guild)
