"""Where a message stands: in which server, channel and thread."""

from __future__ import annotations

from dataclasses import dataclass, field

import discord
from discord.abc import GuildChannel, PrivateChannel

from core.address import Address, Readers

_DIRECT = "@me"
_STARTERS = {discord.ChannelType.text, discord.ChannelType.news}

Channel = GuildChannel | PrivateChannel | discord.Thread | discord.PartialMessageable


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """`channel` is a channel, or a thread of `parent`; `guild` is None for direct messages.

    `has_threads`: one can be opened from each message here. `readers` can read them.
    """

    guild: int | None
    channel: int
    parent: int | None = None
    has_threads: bool = False
    readers: Readers = field(default=Readers.UNKNOWN, compare=False)

    @property
    def place(self) -> Address:
        """The channel without the thread; a forum is the channel of its posts."""
        server = str(self.guild) if self.guild else _DIRECT
        parts = (server, str(self.parent or self.channel))
        readers = self.readers if self.guild else Readers.CHANNEL
        return Address(platform="discord", parts=parts, readers=readers)

    @property
    def address(self) -> Address:
        """The channel, or the thread in it: what is said here stands there or below."""
        return self.place.below(str(self.channel)) if self.parent else self.place

    def key(self, message: int) -> str:
        """The identity of a message here."""
        return f"{self.cursor}/{message}"

    @property
    def cursor(self) -> Address:
        """Where it is kept how far the channel or thread was heard."""
        return server(self.guild).below(str(self.channel))


def server(guild: int | None) -> Address:
    """The address of a server, or of all direct messages."""
    return Address(platform="discord", parts=(str(guild) if guild else _DIRECT,))


def spot_of(channel: Channel) -> Spot | None:
    """Where messages of this channel stand; None if only Discord can tell.

    A thread that was in the archive when the bot connected is nothing but an id.
    """
    match channel:
        case discord.DMChannel():
            return Spot(guild=None, channel=channel.id)
        case discord.Thread():
            return Spot(
                guild=channel.guild.id,
                channel=channel.id,
                parent=channel.parent_id,
                readers=Readers.THREAD if channel.is_private() else _readers(channel.parent),
            )
        case GuildChannel():
            return Spot(
                guild=channel.guild.id,
                channel=channel.id,
                has_threads=channel.type in _STARTERS,
                readers=_readers(channel.guild.get_channel(channel.id)),
            )
        case _:
            return None


def _readers(channel: GuildChannel | None) -> Readers:
    """Who can read a channel as the gateway knows it: interactions do not tell who may see it."""
    everyone = channel.guild.get_role(channel.guild.id) if channel else None
    if channel is None or everyone is None:
        return Readers.CHANNEL
    is_open = channel.permissions_for(everyone).view_channel
    return Readers.EVERYBODY if is_open else Readers.CHANNEL
