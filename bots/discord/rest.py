"""The REST side of Discord: a client that is logged in and never connects to the gateway."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Self

import discord
from discord.gateway import DiscordWebSocket
from discord.http import Route
from yarl import URL

from bots.discord.failures import FAILURES, translated
from bots.requests import guard

_OWN_API, _OWN_GATEWAY = Route.BASE, DiscordWebSocket.DEFAULT_GATEWAY
_SECONDS = 60.0  # for one call, with discord.py's own waiting for Discord's limits
_LONGEST_LIMIT = 30.0  # seconds: what Discord has us wait for longer is tried again later


def point_at(api_url: str | None) -> None:
    """Have discord.py, everywhere in this process, talk to this API; None: to Discord's own.

    The gateway of another API is taken from its `/gateway/bot`; until then its host stands for it.
    """
    Route.BASE = api_url.rstrip("/") if api_url else _OWN_API
    DiscordWebSocket.DEFAULT_GATEWAY = _socket_of(URL(api_url)) if api_url else _OWN_GATEWAY
    discord.VoiceClient.warn_nacl = discord.VoiceClient.warn_dave = False
    logging.getLogger("discord").setLevel(logging.ERROR)  # what matters else, we say ourselves


class Rest:
    """The one way to Discord's REST API of this process. Whoever opens it closes it."""

    def __init__(self, client: discord.Client, *, seconds: float) -> None:
        """`client` is logged in; `seconds` are for one call."""
        self.client = client
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
        client = discord.Client(
            intents=discord.Intents.none(),
            allowed_mentions=discord.AllowedMentions.none(),
            max_messages=None,
            max_ratelimit_timeout=_LONGEST_LIMIT,
            http_trace=guard(),
        )
        try:
            async with AsyncExitStack() as failing, asyncio.timeout(seconds):
                failing.push_async_callback(client.close)
                await client.login(token)
                failing.pop_all()
        except FAILURES as error:
            raise translated(error, "the login") from error
        return cls(client, seconds=seconds)

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
        except asyncio.CancelledError:
            self._let_others_call()
            raise
        except FAILURES as error:
            self._let_others_call()
            raise translated(error, what) from error

    @property
    def api_url(self) -> str:
        """Where the API is."""
        return Route.BASE

    async def close(self) -> None:
        """Close the connections."""
        await self.client.close()

    def _let_others_call(self) -> None:
        """A call cut off while it waits for the global limit keeps all others waiting for ever."""
        self.client.http._global_over.set()


def _socket_of(api: URL) -> URL:
    return api.origin().with_scheme("wss" if api.scheme == "https" else "ws")
