"""Finds the message that an earlier try posted: by its nonce, or in the channel's history."""

from __future__ import annotations

from dataclasses import dataclass

import discord
from cachetools import LRUCache

from bots.discord import buttons
from bots.discord.channels import Destination, with_fallback
from bots.discord.rest import Rest
from bots.text_file import is_file_of

_MOST_NONCES = 1_000
_MOST_READ = 2_000  # messages of a channel, a hundred a request, the oldest first


@dataclass(frozen=True, slots=True, kw_only=True)
class Traces:
    """How a message is known in the history, which has no nonces.

    Its `key` is in its buttons, or in the name of its file. A part of a long answer that has
    neither is known by its `content`, None for all others; the first part also by the `question`
    that it replies to, None for later parts, which reply to nothing.
    """

    key: str
    content: str | None = None
    question: int | None = None

    def are_of(self, message: discord.Message) -> bool:
        """Whether this message of the bot is the one."""
        if self.key in buttons.keys_of(message):
            return True
        if message.attachments:
            return any(is_file_of(self.key, each.filename) for each in message.attachments)
        if self.content is None or message.components:
            return False
        replied_to = message.reference.message_id if message.reference else None
        return replied_to in {None, self.question} and _same(message.content, self.content)


class SentMessages:
    """The bot's own messages.

    The gateway sends every process each message of the bot, with its nonce.
    """

    def __init__(self, rest: Rest) -> None:
        self._rest = rest
        self._by_nonce = LRUCache[str, int](_MOST_NONCES)

    def add(self, own: discord.Message) -> None:
        """The gateway sent a message of the bot."""
        if own.nonce is not None:
            self._by_nonce[str(own.nonce)] = own.id

    def by_nonce(self, nonce: str) -> int | None:
        """The id of the message with this nonce, if the gateway sent it lately."""
        return self._by_nonce.get(nonce)

    async def find(self, destination: Destination, traces: Traces, *, after: int) -> int | None:
        """The id of the first message with these traces, among those with ids above `after`.

        Without the permission Read Message History, Discord answers with an empty history.
        Raises as `Rest.call` does.
        """

        async def look(at: Destination) -> int | None:
            async with self._rest.call("the history") as client:
                channel = client.get_partial_messageable(at.channel, guild_id=at.guild)
                async for message in channel.history(
                    limit=_MOST_READ, after=discord.Object(after), oldest_first=True
                ):
                    if message.author.id == self._rest.user and traces.are_of(message):
                        return message.id
            return None

        return await with_fallback(destination, look)


def _same(shown: str, sent: str) -> bool:
    """Discord trims white space."""
    return shown.split() == sent.split()
