"""Stores the gateway's events, one after the other in the order they came."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Generator
from contextlib import contextmanager

import discord

from bots.discord import parse
from bots.discord.channels import Channel, ChannelLookup, Location
from bots.discord.contents import is_by_app
from bots.discord.dispatch import Dispatcher
from bots.discord.failures import MALFORMED
from bots.discord.parse import Deleted, Event
from core.errors import ConfigMistake, MooringsError, Transient

log = logging.getLogger(__name__)

_RETRY_SECONDS = 0.5
_LOOKUP_RETRY_SECONDS = 5.0
_MOST_DELAYED = 200  # events of a channel; catching up finds the rest
_MOST_MISREAD = 60  # answers in a row that tell of no channel: five minutes

RawEvent = (
    discord.Message
    | discord.RawMessageUpdateEvent
    | discord.RawMessageDeleteEvent
    | discord.RawBulkMessageDeleteEvent
)
MessageEvent = discord.Message | discord.RawMessageUpdateEvent
OnStored = Callable[[Location, int], None]


class _LocationUnavailable(Exception):
    """Discord cannot be asked now where this channel is."""

    def __init__(self, channel: int, *, is_misread: bool = False) -> None:
        """`is_misread`: it has answered, with something else than a channel."""
        super().__init__(channel)
        self.channel = channel
        self.is_misread = is_misread


@contextmanager
def _understood() -> Generator[None]:
    """Leave an event out that is not as Discord's documentation says: it holds up no other."""
    try:
        yield
    except MALFORMED as error:
        log.warning("event not understood", extra={"why": type(error).__name__})


class Ingest:
    """A queue of events. What cannot be stored yet is tried until it can: it is sent only once."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        channels: ChannelLookup,
        me: int,
        *,
        size: int,
        on_missed: Callable[[Location], None],
    ) -> None:
        """`me` is the bot's user id, `size` how many events may wait.

        `on_missed` is called with the location of events that were left out.
        """
        self._dispatcher = dispatcher
        self._channels = channels
        self._me = me
        self._size = size
        self._on_missed = on_missed
        self._queue: asyncio.Queue[tuple[RawEvent, OnStored]] = asyncio.Queue()
        self._delayed: dict[int, deque[tuple[MessageEvent, OnStored] | Deleted]] = {}
        self._overflowed: set[int] = set()

    def add(self, event: RawEvent, on_stored: OnStored) -> bool:
        """Queue an event; False if the queue is full. `on_stored` is called with each message."""
        delayed = sum(len(each) for each in self._delayed.values())
        if self._queue.qsize() + delayed >= self._size:
            return False
        self._queue.put_nowait((event, on_stored))
        return True

    async def drained(self) -> None:
        """Return once the queue is empty. Delayed events may still wait."""
        await self._queue.join()

    async def run(self) -> None:
        """Store events until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                event, on_stored = await self._queue.get()
                with _understood():
                    await self._store(event, on_stored, group)
                self._queue.task_done()

    async def _store(self, event: RawEvent, on_stored: OnStored, group: asyncio.TaskGroup) -> None:
        match event:
            case discord.Message() | discord.RawMessageUpdateEvent():
                try:
                    await self._store_message(event, on_stored)
                except _LocationUnavailable as unavailable:
                    self._delay(event, on_stored, unavailable.channel, group)
            case discord.RawMessageDeleteEvent():
                await self._delete(event, event.message_id)
            case discord.RawBulkMessageDeleteEvent():
                for message in sorted(event.message_ids):
                    await self._delete(event, message)

    async def _store_message(self, event: MessageEvent, on_stored: OnStored) -> None:
        message = _message_of(event)
        if message.channel.id in self._delayed:  # its earlier messages come first
            raise _LocationUnavailable(message.channel.id)
        if not self._is_for_nobody(message):
            await self._store_at(await self._locate(message.channel), event, on_stored)

    async def _store_at(
        self, location: Location | None, event: MessageEvent, on_stored: OnStored
    ) -> None:
        if location is None:
            return
        self._report_missed(location)
        if isinstance(event, discord.Message):
            await self._dispatch(parse.message(event, location, self._me))
            on_stored(location, event.id)
        else:
            await self._dispatch(parse.edited(event, location, self._me))

    def _delay(
        self, event: MessageEvent, on_stored: OnStored, channel: int, group: asyncio.TaskGroup
    ) -> None:
        """Keep an event aside, so that one channel without a location holds up no other."""
        if channel not in self._delayed:
            self._delayed[channel] = deque(maxlen=_MOST_DELAYED)
            group.create_task(self._store_delayed(channel))
        self._keep(channel, (event, on_stored))

    def _keep(self, channel: int, event: tuple[MessageEvent, OnStored] | Deleted) -> None:
        """Add it to the channel's delayed events, of which the oldest is left out for it."""
        if len(self._delayed[channel]) == _MOST_DELAYED:
            self._overflowed.add(channel)
        self._delayed[channel].append(event)

    async def _store_delayed(self, channel: int) -> None:
        """Store the channel's delayed events once its location is known."""
        waiting, misread = self._delayed[channel], 0
        while said := next((each for each in waiting if not isinstance(each, Deleted)), None):
            await asyncio.sleep(_LOOKUP_RETRY_SECONDS)
            try:
                location = await self._locate(_message_of(said[0]).channel)
                while waiting:
                    first = waiting[0]
                    with _understood():
                        if isinstance(first, Deleted):
                            await self._dispatch(first)
                        else:
                            await self._store_at(location, *first)
                    if waiting[0] is first:  # else the deque dropped it meanwhile
                        waiting.popleft()
            except _LocationUnavailable as unavailable:
                misread = misread + 1 if unavailable.is_misread else 0
                if misread == _MOST_MISREAD:
                    log.warning("channel not understood", extra={"channel": channel})
                    self._overflowed.add(channel)
                    break
        del self._delayed[channel]

    def _report_missed(self, location: Location) -> None:
        """Must come before `on_stored` of any later message, which would move the cursor."""
        if location.channel in self._overflowed:
            self._overflowed.discard(location.channel)
            self._on_missed(location)

    async def _delete(
        self, event: discord.RawMessageDeleteEvent | discord.RawBulkMessageDeleteEvent, message: int
    ) -> None:
        location = Location(guild=event.guild_id, channel=event.channel_id)
        deleted = Deleted(key=location.message_key(message))
        if event.channel_id in self._delayed:  # the message itself may wait there
            self._keep(event.channel_id, deleted)
        else:
            await self._dispatch(deleted)

    def _is_for_nobody(self, said: discord.Message) -> bool:
        """Whether it is an app's in an unknown thread, which is not worth a request.

        In threads apps are heard only where they mention the bot.
        """
        is_unknown = isinstance(said.channel, discord.PartialMessageable)
        return is_unknown and is_by_app(said) and not parse.is_mention(said, self._me)

    async def _locate(self, channel: Channel) -> Location | None:
        """Where its messages are; None if the bot may not see it."""
        try:
            return await self._channels.locate(channel)
        except (Transient, ConfigMistake, *MALFORMED) as later:
            is_misread = not isinstance(later, MooringsError)
            why = type(later).__name__ if is_misread else str(later)
            log.warning("channel unknown for now", extra={"channel": channel.id, "why": why})
            raise _LocationUnavailable(channel.id, is_misread=is_misread) from later

    async def _dispatch(self, event: Event | None) -> None:
        while event is not None:
            try:
                await self._dispatcher.dispatch(event)
                return
            except Transient as later:
                log.warning("not stored yet", extra={"why": str(later)})
                await asyncio.sleep(_RETRY_SECONDS)


def _message_of(event: MessageEvent) -> discord.Message:
    return event if isinstance(event, discord.Message) else event.message
