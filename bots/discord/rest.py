"""The REST side of Discord: a client that is logged in and never connects to the gateway."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Self

import discord

from bots.connections import Connector
from bots.discord import internals
from bots.discord.failures import FAILURES, translated
from bots.discord.internals import LONGEST_LIMIT, GlobalLimit, point_at
from bots.requests import guard

_SECONDS = 60.0  # for one call, with discord.py's own waiting for Discord's limits


class Rest:
    """The one way to Discord's REST API of this process. Whoever opens it closes it."""

    def __init__(self, client: discord.Client, limit: GlobalLimit, *, seconds: float) -> None:
        """`client` is logged in, and `limit` hears its answers; `seconds` are for one call."""
        self.client = client
        self._limit = limit
        self.user = client.user.id if client.user else 0
        self.application = client.application_id or 0
        self._seconds = seconds

    @classmethod
    async def open(cls, token: str, api_url: str | None, *, seconds: float = _SECONDS) -> Self:
        """Log in; `seconds` are for one call.

        Raises:
            ConfigMistake: Discord does not accept the token.
            Transient: Discord cannot be asked now.
        """
        point_at(api_url)
        limit = GlobalLimit()
        client = discord.Client(
            intents=discord.Intents(guilds=True),  # discord.py warns of clients without
            allowed_mentions=discord.AllowedMentions.none(),
            connector=Connector(limit=0),
            max_messages=None,
            max_ratelimit_timeout=LONGEST_LIMIT,
            http_trace=limit.heard_by(guard()),
        )
        try:
            async with AsyncExitStack() as failing, asyncio.timeout(seconds):
                failing.push_async_callback(client.close)
                await client.login(token)
                failing.pop_all()
        except FAILURES as error:
            raise translated(error, "the login") from error
        return cls(client, limit, seconds=seconds)

    @asynccontextmanager
    async def call(self, what: str) -> AsyncIterator[discord.Client]:
        """For one call, bounded in time; what fails comes in our errors.

        Raises:
            Transient: it may work later, and may have had its effect.
            DiscordRefused: it will not work.
            ConfigMistake: Discord does not accept the token any more.
        """
        try:
            async with asyncio.timeout(self._seconds):
                yield self.client
        except FAILURES as error:
            raise translated(error, what) from error
        finally:
            self._limit.left(self.client)

    @property
    def api_url(self) -> str:
        """Where the API is."""
        return internals.api_url()

    async def close(self) -> None:
        """Close the connections."""
        await self.client.close()
