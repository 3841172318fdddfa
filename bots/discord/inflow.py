"""What comes in by the gateway, stored one after the other in the order it came."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable

import discord

from bots.discord import parse
from bots.discord.door import Door
from bots.discord.happenings import Happening, Withdrawn
from bots.discord.parents import Parents
from bots.discord.spot import Spot
from core.errors import ConfigMistake, Transient

log = logging.getLogger(__name__)

_RETRY_SECONDS = 0.5
_ASK_AGAIN_SECONDS = 5.0
_MOST_ASIDE = 200  # events of a channel; catching up finds the rest

Event = (
    discord.Message
    | discord.RawMessageUpdateEvent
    | discord.RawMessageDeleteEvent
    | discord.RawBulkMessageDeleteEvent
)
Said = discord.Message | discord.RawMessageUpdateEvent
Noted = Callable[[Spot, int], None]


class _UnknownForNow(Exception):
    """Discord cannot be asked where this channel is."""

    def __init__(self, channel: int) -> None:
        super().__init__(channel)
        self.channel = channel


class Inflow:
    """Discord sends nothing twice: what cannot be stored yet is tried until it can."""

    def __init__(
        self, door: Door, parents: Parents, me: int, *, most: int, missed: Callable[[Spot], None]
    ) -> None:
        """`me` is the bot's user, `most` events wait; `missed` is told where one was left out."""
        self._door = door
        self._parents = parents
        self._me = me
        self._most = most
        self._missed = missed
        self._waiting: asyncio.Queue[tuple[Event, Noted]] = asyncio.Queue()
        self._aside: dict[int, deque[tuple[Said, Noted]]] = {}
        self._left_out: set[int] = set()

    def add(self, event: Event, noted: Noted) -> bool:
        """Take it over; False if there is no room. `noted` is told of each stored message."""
        aside = sum(len(each) for each in self._aside.values())
        if self._waiting.qsize() + aside >= self._most:
            return False
        self._waiting.put_nowait((event, noted))
        return True

    async def drained(self) -> None:
        """Return once everything is stored."""
        await self._waiting.join()

    async def run(self) -> None:
        """Store what comes, until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                event, noted = await self._waiting.get()
                try:
                    await self._store(event, noted, group)
                except parse.MALFORMED as error:
                    log.warning("event not understood", extra={"why": type(error).__name__})
                self._waiting.task_done()

    async def _store(self, event: Event, noted: Noted, group: asyncio.TaskGroup) -> None:
        match event:
            case discord.Message() | discord.RawMessageUpdateEvent():
                try:
                    await self._said(event, noted)
                except _UnknownForNow as unknown:
                    self._set_aside(event, noted, unknown.channel, group)
            case discord.RawMessageDeleteEvent():
                await self._withdraw(event, event.message_id)
            case discord.RawBulkMessageDeleteEvent():
                for message in sorted(event.message_ids):
                    await self._withdraw(event, message)

    async def _said(self, event: Said, noted: Noted) -> None:
        message = _message_of(event)
        if message.channel.id in self._aside:  # what was said there before waits, too
            raise _UnknownForNow(message.channel.id)
        await self._said_at(await self._spot(message), event, noted)

    async def _said_at(self, spot: Spot | None, event: Said, noted: Noted) -> None:
        if spot is None:
            return
        if isinstance(event, discord.Message):
            await self._take(parse.message(event, spot, self._me))
            noted(spot, event.id)
        else:
            await self._take(parse.edited(event, spot, self._me))

    def _set_aside(self, event: Said, noted: Noted, channel: int, group: asyncio.TaskGroup) -> None:
        """One thread that Discord cannot tell of now keeps nobody else waiting."""
        if channel not in self._aside:
            self._aside[channel] = deque(maxlen=_MOST_ASIDE)
            group.create_task(self._later(channel))
        if len(self._aside[channel]) == _MOST_ASIDE:
            self._left_out.add(channel)
        self._aside[channel].append((event, noted))

    async def _later(self, channel: int) -> None:
        """Store what was said there, once it is known where that is."""
        waiting = self._aside[channel]
        while waiting:
            await asyncio.sleep(_ASK_AGAIN_SECONDS)
            try:
                spot = await self._spot(_message_of(waiting[0][0]))
                while waiting:
                    first = waiting[0]
                    self._tell(channel, spot)
                    await self._said_at(spot, *first)
                    if waiting[0] is first:  # else it fell out meanwhile
                        waiting.popleft()
            except _UnknownForNow:
                continue
            except parse.MALFORMED as error:
                log.warning("event not understood", extra={"why": type(error).__name__})
                waiting.popleft()
        del self._aside[channel]

    def _tell(self, channel: int, spot: Spot | None) -> None:
        """Before anything is noted that came after what was left out."""
        if channel in self._left_out:
            self._left_out.discard(channel)
            if spot:
                self._missed(spot)

    async def _withdraw(
        self, event: discord.RawMessageDeleteEvent | discord.RawBulkMessageDeleteEvent, message: int
    ) -> None:
        spot = Spot(guild=event.guild_id, channel=event.channel_id)
        await self._take(Withdrawn(key=spot.key(message)))

    async def _spot(self, said: discord.Message) -> Spot | None:
        """Where it stands; what the bot and other apps say is not worth asking for."""
        if said.author.bot and isinstance(said.channel, discord.PartialMessageable):
            return None
        try:
            return await self._parents.spot(said.channel)
        except (Transient, ConfigMistake) as later:
            extra = {"channel": said.channel.id, "why": str(later)}
            log.warning("channel unknown for now", extra=extra)
            raise _UnknownForNow(said.channel.id) from later

    async def _take(self, happened: Happening | None) -> None:
        while happened is not None:
            try:
                await self._door.take(happened)
                return
            except Transient as later:
                log.warning("not stored yet", extra={"why": str(later)})
                await asyncio.sleep(_RETRY_SECONDS)


def _message_of(event: Said) -> discord.Message:
    return event if isinstance(event, discord.Message) else event.message
