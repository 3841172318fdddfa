"""Channels and threads: which one a message is in, and where an answer to it goes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar

import discord
from discord.abc import GuildChannel, PrivateChannel

from bots.discord.failures import UNKNOWN_CHANNEL, DiscordRefused
from bots.discord.rest import Rest
from core.address import Address, Readers
from core.messaging.messages import Outgoing

Found = TypeVar("Found")
Channel = GuildChannel | PrivateChannel | discord.Thread | discord.PartialMessageable

DIRECT = "@me"
_WITH_THREADS = {discord.ChannelType.text, discord.ChannelType.news}
_CACHE_SIZE = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """Where a message is. All ids are Discord's.

    `guild` is the server, None for a direct message. `channel` is the channel, or the thread if
    `parent` is set; then `parent` is the thread's channel. `has_threads`: a thread can be opened
    from a message here. `readers`: who can read what is written here.
    """

    guild: int | None
    channel: int
    parent: int | None = None
    has_threads: bool = False
    readers: Readers = field(default=Readers.UNKNOWN, compare=False)

    @property
    def channel_address(self) -> Address:
        """The address of the channel, without the thread. A forum is the channel of its posts."""
        server = str(self.guild) if self.guild else DIRECT
        parts = (server, str(self.parent or self.channel))
        readers = self.readers if self.guild else Readers.CHANNEL
        return Address(platform="discord", parts=parts, readers=readers)

    @property
    def address(self) -> Address:
        """The address of the thread, or of the channel if this is none."""
        channel = self.channel_address
        return channel.below(str(self.channel)) if self.parent else channel

    def message_key(self, message: int) -> str:
        """The unique key of a message here."""
        return f"{self.cursor}/{message}"

    @property
    def cursor(self) -> Address:
        """The name of the cursor of this channel or thread."""
        return server_address(self.guild).below(str(self.channel))


def server_address(guild: int | None) -> Address:
    """The address of a server; of all direct messages for None."""
    return Address(platform="discord", parts=(str(guild) if guild else DIRECT,))


def location_of(channel: Channel) -> Location | None:
    """The location of the messages in this channel, None if discord.py does not know it.

    discord.py knows only the id of a thread that was archived when the bot connected.
    """
    match channel:
        case discord.DMChannel():
            return Location(guild=None, channel=channel.id)
        case discord.Thread():
            return Location(
                guild=channel.guild.id,
                channel=channel.id,
                parent=channel.parent_id,
                readers=Readers.THREAD if channel.is_private() else _readers(channel.parent),
            )
        case GuildChannel():
            return Location(
                guild=channel.guild.id,
                channel=channel.id,
                has_threads=channel.type in _WITH_THREADS,
                readers=_readers(channel.guild.get_channel(channel.id)),
            )
        case _:
            return None


def _readers(channel: GuildChannel | None) -> Readers:
    """Takes the gateway's cached channel: interactions come without channel permissions."""
    everyone = channel.guild.get_role(channel.guild.id) if channel else None
    if channel is None or everyone is None:
        return Readers.CHANNEL
    is_open = channel.permissions_for(everyone).view_channel
    return Readers.EVERYBODY if is_open else Readers.CHANNEL


class ChannelLookup:
    """Finds the location of a channel; asks Discord's REST API for threads that were archived."""

    def __init__(self, rest: Rest) -> None:
        self._rest = rest
        self._cache: dict[int, Location] = {}

    async def locate(self, channel: Channel) -> Location | None:
        """The location of a channel, None if the bot may not see it.

        Raises:
            Transient: Discord cannot be asked now.
            ConfigMistake: Discord does not accept the token any more.
        """
        known = location_of(channel) or self._cache.get(channel.id)
        return known or await self._fetched(channel.id)

    async def _fetched(self, channel: int) -> Location | None:
        try:
            async with self._rest.call("a channel") as client:
                found = location_of(await client.fetch_channel(channel))
        except DiscordRefused:
            return None
        if len(self._cache) >= _CACHE_SIZE:
            self._cache.clear()
        if found:
            self._cache[channel] = found
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyTo:
    """What `reply_to` of a message means on Discord: a channel, and a message in it to reply to.

    `channel` may be a thread. `message` is None for an answer that replies to no message. A
    thread has the id of the message that it was opened from, so equal ids mean the thread of
    that message, which may not exist yet.
    """

    channel: int
    message: int | None = None

    @classmethod
    def parse(cls, text: str) -> ReplyTo:
        """The inverse of `key`. Raises ValueError for other text."""
        channel, _, message = text.partition("/")
        return cls(channel=int(channel), message=int(message) if message else None)

    @property
    def key(self) -> str:
        """CHANNEL/MESSAGE, or CHANNEL/ without a message."""
        return f"{self.channel}/{self.message or ''}"

    @property
    def opens_thread(self) -> bool:
        """Whether `channel` is the thread of `message`."""
        return self.channel == self.message


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """The channel or thread that an answer is posted to, and the `question` it replies to there.

    `fallback` is set where `channel` is the thread of the question: the answer is posted there,
    as a reply, if the thread cannot be opened.
    """

    channel: int
    guild: int | None
    question: int | None = None
    fallback: Destination | None = None

    @property
    def oldest(self) -> int:
        """The question's message id, 0 if there is none: all parts of the answer have later ids."""
        asked = self.fallback or self
        return asked.question or 0


def destination_of(outgoing: Outgoing) -> Destination:
    """Where this message goes, from its address and its `reply_to`."""
    server, channel, *_ = outgoing.address.parts
    guild = None if server == DIRECT else int(server)
    if outgoing.reply_to is None:
        return Destination(channel=int(outgoing.address.parts[-1]), guild=guild)
    reply_to = ReplyTo.parse(outgoing.reply_to)
    if not reply_to.opens_thread:
        return Destination(channel=reply_to.channel, guild=guild, question=reply_to.message)
    beside = Destination(channel=int(channel), guild=guild, question=reply_to.message)
    return Destination(channel=reply_to.channel, guild=guild, fallback=beside)


async def with_fallback(
    destination: Destination, act: Callable[[Destination], Awaitable[Found]]
) -> Found:
    """The result of `act` at the destination, or at its fallback if the thread does not exist."""
    try:
        return await act(destination)
    except DiscordRefused as refused:
        if destination.fallback is None or refused.code != UNKNOWN_CHANNEL:
            raise
        return await act(destination.fallback)


def interaction_key(interaction: discord.Interaction) -> str:
    """The unique key of a message that comes from a command or a button."""
    channel = server_address(interaction.guild_id).below(str(interaction.channel_id))
    return f"{channel}/cmd/{interaction.id}"


def person_key(interaction: discord.Interaction) -> str:
    """The person under which feedback is stored: one for each server."""
    return f"{server_address(interaction.guild_id)}/{interaction.user.id}"
