"""What comes in by the gateway, stored one after the other in the order it came."""

from __future__ import annotations

import asyncio
import logging
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

Event = (
    discord.Message
    | discord.RawMessageUpdateEvent
    | discord.RawMessageDeleteEvent
    | discord.RawBulkMessageDeleteEvent
)
Noted = Callable[[Spot, int], None]


class Inflow:
    """Discord sends nothing twice: what cannot be stored yet is tried until it can."""

    def __init__(self, door: Door, parents: Parents, me: int, *, most: int) -> None:
        """`me` is the bot's user, `most` events wait."""
        self._door = door
        self._parents = parents
        self._me = me
        self._waiting: asyncio.Queue[tuple[Event, Noted]] = asyncio.Queue(maxsize=most)

    def add(self, event: Event, noted: Noted) -> bool:
        """Take it over; False if there is no room. `noted` is told of each stored message."""
        if self._waiting.full():
            return False
        self._waiting.put_nowait((event, noted))
        return True

    async def drained(self) -> None:
        """Return once everything is stored."""
        await self._waiting.join()

    async def run(self) -> None:
        """Store what comes, until cancelled."""
        while True:
            event, noted = await self._waiting.get()
            try:
                await self._store(event, noted)
            except parse.MALFORMED as error:
                log.warning("event not understood", extra={"why": type(error).__name__})
            self._waiting.task_done()

    async def _store(self, event: Event, noted: Noted) -> None:
        match event:
            case discord.Message():
                if spot := await self._spot(event):
                    await self._take(parse.message(event, spot, self._me))
                    noted(spot, event.id)
            case discord.RawMessageUpdateEvent():
                if spot := await self._spot(event.message):
                    await self._take(parse.edited(event, spot, self._me))
            case discord.RawMessageDeleteEvent():
                await self._withdraw(event, event.message_id)
            case discord.RawBulkMessageDeleteEvent():
                for message in sorted(event.message_ids):
                    await self._withdraw(event, message)

    async def _withdraw(
        self, event: discord.RawMessageDeleteEvent | discord.RawBulkMessageDeleteEvent, message: int
    ) -> None:
        spot = Spot(guild=event.guild_id, channel=event.channel_id)
        await self._take(Withdrawn(key=spot.key(message)))

    async def _spot(self, said: discord.Message) -> Spot | None:
        """Where it stands; what the bot and other apps say is not worth asking for."""
        if said.author.bot and isinstance(said.channel, discord.PartialMessageable):
            return None
        while True:
            try:
                return await self._parents.spot(said.channel)
            except (Transient, ConfigMistake) as later:
                log.warning("channel unknown for now", extra={"why": str(later)})
                await asyncio.sleep(_ASK_AGAIN_SECONDS)

    async def _take(self, happened: Happening | None) -> None:
        while happened is not None:
            try:
                await self._door.take(happened)
                return
            except Transient as later:
                log.warning("not stored yet", extra={"why": str(later)})
                await asyncio.sleep(_RETRY_SECONDS)
