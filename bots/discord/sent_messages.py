"""Finds the message that an earlier try posted: by its nonce, or in the channel's history."""

from __future__ import annotations

from collections import OrderedDict

import discord

from bots.discord import buttons
from bots.discord.channels import Destination, with_fallback
from bots.discord.rest import Rest

_MOST_NONCES = 1_000
_MOST_READ = 2_000  # messages of a channel, a hundred a request, the oldest first


class SentMessages:
    """The bot's own messages.

    The gateway sends every process each message of the bot with its nonce. The history has no
    nonces; there a message is known by the key in its buttons.
    """

    def __init__(self, rest: Rest) -> None:
        self._rest = rest
        self._by_nonce: OrderedDict[str, int] = OrderedDict()

    def add(self, own: discord.Message) -> None:
        """The gateway sent a message of the bot."""
        if own.nonce is None:
            return
        self._by_nonce[str(own.nonce)] = own.id
        if len(self._by_nonce) > _MOST_NONCES:
            self._by_nonce.popitem(last=False)

    def by_nonce(self, nonce: str) -> int | None:
        """The id of the message with this nonce, if the gateway sent it lately."""
        return self._by_nonce.get(nonce)

    async def find(self, destination: Destination, key: str, *, after: int) -> int | None:
        """The id of the message with this key, among those with ids later than `after`.

        Without the permission Read Message History, Discord answers with an empty history.
        Raises as `Rest.call` does.
        """

        async def look(at: Destination) -> int | None:
            async with self._rest.call("the history") as client:
                channel = client.get_partial_messageable(at.channel, guild_id=at.guild)
                async for message in channel.history(
                    limit=_MOST_READ, after=discord.Object(after), oldest_first=True
                ):
                    if message.author.id == self._rest.user and key in buttons.keys_of(message):
                        return message.id
            return None

        return await with_fallback(destination, look)
