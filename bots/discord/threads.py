"""The threads that answers stand in: opened when needed, taken out of the archive."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

from bots.discord import internals
from bots.discord.failures import UNKNOWN_CHANNEL, DiscordRefused
from bots.discord.place import Place
from bots.discord.rest import Rest

Found = TypeVar("Found")

_LONGEST_NAME = 100
_MENTION = re.compile(r"<(?:@[!&]?|#)\d+>")
_EMOJI = re.compile(r"<a?(:\w+:)\d+>")


class Threads:
    """Each call raises as `Rest.call` does."""

    def __init__(self, rest: Rest) -> None:
        self._rest = rest

    async def open(self, beside: Place, *, otherwise: str) -> None:
        """Open the thread of the question, named after it; whether it is there then is not said.

        `otherwise` is the name where the question has no words.
        """
        if beside.question is None:
            return
        name = await self._name(beside, beside.question) or otherwise[:_LONGEST_NAME]
        with suppress(DiscordRefused):
            async with self._rest.call("a thread") as client:
                await internals.open_thread(client, beside.channel, beside.question, name)

    async def unarchive(self, thread: int) -> None:
        """Take it out of the archive, where messages can be sent but not edited."""
        async with self._rest.call("the opening of an archived thread") as client:
            await internals.unarchive(client, thread)

    async def _name(self, beside: Place, question: int) -> str:
        try:
            async with self._rest.call("a question") as client:
                channel = client.get_partial_messageable(beside.channel, guild_id=beside.guild)
                message = await channel.fetch_message(question)
        except DiscordRefused:
            return ""
        return named_after(message.content)


def named_after(question: str) -> str:
    """The first words of a question, without whom they mention."""
    plain = " ".join(_EMOJI.sub(r"\1", _MENTION.sub(" ", question)).split())
    return plain if len(plain) <= _LONGEST_NAME else f"{plain[: _LONGEST_NAME - 1]}…"


async def there(place: Place, act: Callable[[Place], Awaitable[Found]]) -> Found:
    """Act in the thread, or beside the question if the thread was never opened."""
    try:
        return await act(place)
    except DiscordRefused as refused:
        if place.beside is None or refused.code != UNKNOWN_CHANNEL:
            raise
        return await act(place.beside)
