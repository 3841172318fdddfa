"""What was said in a thread before somebody asked there, read for whoever is asked."""

from __future__ import annotations

import discord

from bots.discord import parse
from bots.discord.failures import MALFORMED, DiscordRefused
from bots.discord.rest import Rest
from core.address import Address
from core.messaging.messages import Quote

_MOST = 100  # messages: a page, the newest


async def said_in(rest: Rest, thread: Address, *, after: int, before: int) -> list[Quote]:
    """Oldest first, without what the bot has said.

    A thread does not tell the message that it was opened from: that stands in its channel.
    Raises as `Rest.call` does, and DiscordRefused where what comes is not as Discord says.
    """
    try:
        return await _read(rest, thread, after, before)
    except MALFORMED as error:
        raise DiscordRefused("the thread", 0) from error


async def _read(rest: Rest, thread: Address, after: int, before: int) -> list[Quote]:
    found: list[discord.Message] = []
    async with rest.call("the thread") as client:
        channel = client.get_partial_messageable(int(thread.parts[-1]))
        pages = channel.history(limit=_MOST, before=discord.Object(before), oldest_first=False)
        async for said in pages:
            if said.id <= after:
                break
            found.append(said)
    spoken = (said for said in reversed(found) if parse.is_said(said) and _is_others(said, rest))
    quotes = (
        Quote(author=parse.author_of(said.author), text=parse.words_of(said, rest.user))
        for said in spoken
    )
    return [quote for quote in quotes if quote.text]


def _is_others(said: discord.Message, rest: Rest) -> bool:
    return said.author.id != rest.user
