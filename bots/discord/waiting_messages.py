"""What became of messages that still wait for an answer while nobody was connected."""

from __future__ import annotations

import discord

from bots.discord import parse
from bots.discord.channels import DIRECT, Location
from bots.discord.failures import (
    FAILURES,
    MALFORMED,
    UNKNOWN_CHANNEL,
    UNKNOWN_MESSAGE,
    DiscordRefused,
    translated,
)
from bots.discord.parse import Deleted, Edited

_GONE = {UNKNOWN_MESSAGE, UNKNOWN_CHANNEL}


async def news_of(client: discord.Client, key: str, me: int) -> Edited | Deleted | None:
    """Whether the message with this key was edited or deleted; None for what is no message.

    Raises as translated errors of discord.py.
    """
    if not (found := _parsed(key)):
        return None
    location, message = found
    channel = client.get_partial_messageable(location.channel, guild_id=location.guild)
    try:
        said = await channel.fetch_message(message)
    except FAILURES as error:
        failed = translated(error, f"message {message}")
        if isinstance(failed, DiscordRefused) and failed.code in _GONE:
            return Deleted(key=key)
        raise failed from error
    try:
        return parse.edit_of(said, location, me)
    except MALFORMED as error:
        raise DiscordRefused(f"message {message}", 0) from error


def _parsed(key: str) -> tuple[Location, int] | None:
    """Where a message is, and its id; of a command nothing can be asked."""
    _, server, channel, *rest = key.split("/")
    if len(rest) != 1:
        return None
    guild = None if server == DIRECT else int(server)
    return Location(guild=guild, channel=int(channel)), int(rest[0])
