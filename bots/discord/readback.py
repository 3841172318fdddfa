"""Looks for what was posted, by the key that its buttons carry."""

from __future__ import annotations

import discord

from bots.discord import buttons
from bots.discord.place import Place
from bots.discord.rest import Rest
from bots.discord.threads import there

_MOST = 2_000  # messages, a hundred a page, the oldest first


class Readback:
    """Reads channels and threads; the history does not tell the nonces. Only ours count."""

    def __init__(self, rest: Rest) -> None:
        self._rest = rest

    async def find(self, place: Place, key: str, *, after: int) -> int | None:
        """The id of the message with this key among those whose ids are later.

        Without the permission to read the history, Discord shows none and says nothing.
        """

        async def look(at: Place) -> int | None:
            async with self._rest.call("the history") as client:
                channel = client.get_partial_messageable(at.channel, guild_id=at.guild)
                async for message in channel.history(
                    limit=_MOST, after=discord.Object(after), oldest_first=True
                ):
                    if message.author.id == self._rest.user and key in buttons.keys_of(message):
                        return message.id
            return None

        return await there(place, look)
