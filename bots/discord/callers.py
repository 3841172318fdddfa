"""Who uses a command or a button, and where, as interactions tell it."""

from __future__ import annotations

from dataclasses import replace

import discord

from bots.commands import Caller
from bots.discord.anchor import Anchor
from bots.discord.people import author_of
from bots.discord.spot import Spot, server, spot_of


def key_of(interaction: discord.Interaction) -> str:
    """The identity of a message that is made of it."""
    place = server(interaction.guild_id).below(str(interaction.channel_id))
    return f"{place}/cmd/{interaction.id}"


def person_of(interaction: discord.Interaction) -> str:
    """The person, as opinions are kept by."""
    return f"{server(interaction.guild_id)}/{interaction.user.id}"


def caller_of(interaction: discord.Interaction) -> Caller | None:
    """Who commands, to be answered in the channel and beside no message; None: not in one."""
    spot = spot_of(interaction.channel) if interaction.channel else None
    if spot is None:
        return None

    async def may_manage() -> bool:
        allowed = interaction.permissions
        return spot.guild is None or allowed.manage_channels or allowed.administrator

    return Caller(
        key=key_of(interaction),
        place=spot.place,
        thread=str(spot.channel) if spot.parent else None,
        author=author_of(interaction.user),
        position=interaction.id,
        at=interaction.created_at,
        is_direct=spot.guild is None,
        may_manage=may_manage,
        reply_to=Anchor(channel=spot.channel).key,
        reply_in=Anchor(channel=spot.channel).key,
    )


def pointing_at(caller: Caller, message: discord.Message) -> Caller:
    """The same person, to be answered beside this message, or in the thread that it opens."""
    spot = spot_of(message.channel) or Spot(guild=None, channel=message.channel.id)
    beside = Anchor(channel=spot.channel, message=message.id).key
    inside = Anchor(channel=message.id, message=message.id).key
    return replace(
        caller,
        opens=str(message.id) if spot.has_threads else None,
        reply_to=beside,
        reply_in=inside if spot.has_threads else beside,
    )


def can_answer(interaction: discord.Interaction) -> bool:
    """Whether the bot is there, and may write."""
    if interaction.guild_id is None:
        return True
    allowed, channel = interaction.app_permissions, interaction.channel
    is_thread = isinstance(channel, discord.Thread)
    may_send = allowed.send_messages_in_threads if is_thread else allowed.send_messages
    may_write = allowed.administrator or (allowed.view_channel and may_send)
    return may_write and _can_read(channel, allowed)


def _can_read(channel: object, allowed: discord.Permissions) -> bool:
    """Permissions are those of a channel, but a private thread of it is for whoever is in it."""
    if not (isinstance(channel, discord.Thread) and channel.is_private()):
        return True
    known = channel.guild.get_thread(channel.id)
    return allowed.manage_threads or (known is not None and known.me is not None)


def is_from_elsewhere(interaction: discord.Interaction) -> bool:
    """Whether somebody added the app for themselves, and uses it where the bot is not."""
    is_direct = interaction.context.dm_channel
    is_own = interaction.is_user_integration() and not interaction.is_guild_integration()
    return is_own and not is_direct
