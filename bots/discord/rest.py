"""The REST client: logs in, never connects to the gateway."""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Self

import discord

from bots.connections import Connector
from bots.discord import internals
from bots.discord.failures import FAILURES, MALFORMED, DiscordRefused, translated
from bots.discord.internals import LONGEST_LIMIT, GlobalLimit, point_at
from bots.requests import guard
from core.errors import ConfigMistake

PORTAL = "https://discord.com/developers/applications"

_SECONDS = 60.0  # for one call, including discord.py's waits for rate limits
_TOKEN_PARTS = 3  # application id, time of creation, signature
_WHERE = f"copy it from your application at {PORTAL} under Bot > Token > Reset Token"


class Rest:
    """Discord's REST API for this process. Whoever opens it closes it.

    `client` is discord.py's client, `user` the bot's user id, `application` its application id.
    """

    def __init__(self, client: discord.Client, limit: GlobalLimit, *, seconds: float) -> None:
        """`client` is logged in, and `limit` watches its answers; `seconds` bound one call."""
        self.client = client
        self._limit = limit
        self.user = client.user.id if client.user else 0
        self.application = client.application_id or 0
        self._seconds = seconds

    @classmethod
    async def open(cls, token: str, api_url: str | None, *, seconds: float = _SECONDS) -> Self:
        """Log in; `seconds` bound each call, this one too.

        Raises:
            ConfigMistake: Discord does not accept the token.
            Transient: Discord cannot be asked now.
        """
        point_at(api_url)
        limit = GlobalLimit()
        client = discord.Client(
            intents=discord.Intents(guilds=True),  # discord.py warns about a client without intents
            allowed_mentions=discord.AllowedMentions.none(),
            connector=Connector(limit=0),
            max_messages=None,
            max_ratelimit_timeout=LONGEST_LIMIT,
            http_trace=limit.watch(guard()),
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
        """Make one call in here: it is bounded in time, and its errors become the core's.

        `what` is the object of error sentences ("Discord refused WHAT").

        Raises:
            Transient: it may work later, and may have had its effect already.
            DiscordRefused: it will not work.
            ConfigMistake: Discord does not accept the token any more.
        """
        try:
            async with asyncio.timeout(self._seconds):
                yield self.client
        except FAILURES as error:
            raise translated(error, what) from error
        finally:
            self._limit.release(self.client)

    @property
    def api_url(self) -> str:
        """The base URL of the API."""
        return internals.api_url()

    async def close(self) -> None:
        """Close the connections."""
        await self.client.close()


async def log_in(token: str, api_url: str | None, *, seconds: float = _SECONDS) -> Rest:
    """As `Rest.open`, with a more precise sentence about what is wrong with the configuration.

    Raises:
        ConfigMistake: DISCORD_TOKEN or DISCORD_API_URL has to change; says how.
        Transient: Discord cannot be asked now.
    """
    if not token.isascii() or not token.isprintable() or " " in token:
        raise ConfigMistake(
            f"DISCORD_TOKEN has characters that no token has, such as a space: {_WHERE}, "
            "and leave out the word Bot and quotation marks."
        )
    try:
        return await Rest.open(token, api_url, seconds=seconds)
    except ConfigMistake:
        application_of(token)
        raise
    except (DiscordRefused, *MALFORMED) as error:
        address = f"DISCORD_API_URL ({api_url})" if api_url else "Discord's own address"
        raise ConfigMistake(
            f"{address} does not answer as Discord's API does: leave DISCORD_API_URL out, or give "
            "the base with its version, such as https://discord.com/api/v10."
        ) from error


def application_of(token: str) -> int:
    """The application id in a bot token, read without asking Discord.

    Raises:
        ConfigMistake: this is no bot token.
    """
    first, *others = token.split(".")
    try:
        name = base64.b64decode(first + "=" * (-len(first) % 4), altchars=b"-_", validate=True)
        application = int(name) if name.isdigit() else 0
    except (binascii.Error, ValueError):
        application = 0
    if not application or len(others) != _TOKEN_PARTS - 1:
        raise ConfigMistake(
            "DISCORD_TOKEN is not a bot token, which has three parts with a dot between them: "
            f"{_WHERE}. It is neither the Client Secret nor the Public Key."
        )
    return application
