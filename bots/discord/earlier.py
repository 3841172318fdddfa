"""What was said in a thread or channel before somebody asked there, read for whoever is asked."""

from __future__ import annotations

import discord

from bots.discord import parse
from bots.discord.channels import DIRECT
from bots.discord.failures import MALFORMED, DiscordRefused
from bots.discord.rest import Rest
from core.address import Address
from core.messaging.messages import Quote

_MOST = 100  # messages: a page, the newest
_ENOUGH = 30  # of a channel


async def said_in(rest: Rest, at: Address, *, after: int, before: int) -> list[Quote]:
    """Oldest first, without what the bot has said, and in a channel without what was said to it.

    A thread begins with the message that it was opened from, which stands in its channel, and may
    be the bot's. Raises as `Rest.call` does, and DiscordRefused where what comes is not as Discord
    says.
    """
    try:
        return await _read(rest, at, after, before) if at.parts[0] != DIRECT else []
    except MALFORMED as error:
        raise DiscordRefused("the thread", 0) from error


async def _read(rest: Rest, at: Address, after: int, before: int) -> list[Quote]:
    found: list[discord.Message] = []
    is_thread = len(at.parts) > len(at.channel.parts)
    async with rest.call("the thread") as client:
        channel = client.get_partial_messageable(int(at.parts[-1]))
        limit = _MOST if is_thread else _ENOUGH
        pages = channel.history(limit=limit, before=discord.Object(before), oldest_first=False)
        async for said in pages:
            if said.id <= after:
                break
            found.append(said)
    others = (parse.begun_by(said) for said in reversed(found) if said.author.id != rest.user)
    spoken = (
        said
        for said in others
        if parse.is_said(said) and (is_thread or not parse.is_mention(said, rest.user))
    )
    return [parse.quote_of(said, rest.user) for said in spoken]
