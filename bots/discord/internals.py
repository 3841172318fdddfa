"""All that is used of discord.py beyond its public API; beside it a test knows each of them."""

from __future__ import annotations

import asyncio
import threading

import discord
from aiohttp import ClientSession, TraceConfig, TraceRequestEndParams
from discord import app_commands
from discord.gateway import DiscordWebSocket, KeepAliveHandler
from discord.http import Route
from yarl import URL

from core.clock import monotonic

LONGEST_LIMIT = 30.0  # seconds: what Discord has us wait for longer is tried again later

_OWN_API, _OWN_GATEWAY = Route.BASE, DiscordWebSocket.DEFAULT_GATEWAY
_TOO_MANY = 429


def point_at(api_url: str | None) -> None:
    """Have discord.py, everywhere in this process, talk to this API; None: to Discord's own.

    The gateway of another API is taken from its `/gateway/bot`; until then its host stands for it.
    """
    Route.BASE = api_url.rstrip("/") if api_url else _OWN_API
    DiscordWebSocket.DEFAULT_GATEWAY = _socket_of(URL(api_url)) if api_url else _OWN_GATEWAY
    discord.VoiceClient.warn_nacl = discord.VoiceClient.warn_dave = False


def api_url() -> str:
    """Where the API is."""
    return Route.BASE


def connect_to(gateway: str) -> None:
    """Have discord.py start its sessions there, also those that follow a lost one."""
    DiscordWebSocket.DEFAULT_GATEWAY = URL(gateway)


async def gateway(client: discord.Client) -> object:
    """What `/gateway/bot` answers: its address, and how many sessions may be started."""
    answer: object = await client.http.request(Route("GET", "/gateway/bot"))
    return answer


async def open_thread(client: discord.Client, channel: int, message: int, name: str) -> None:
    """Open a thread at a message; the public way asks for the channel first."""
    await client.http.start_thread_with_message(
        channel, message, name=name, auto_archive_duration=1440
    )


async def unarchive(client: discord.Client, thread: int) -> None:
    """Take a thread out of the archive; the public way asks for the thread first."""
    await client.http.edit_channel(thread, archived=False)


async def cut(client: discord.Client) -> None:
    """End the connections of a client that does not close."""
    await client.http.close()


def lines_left_behind(client: discord.Client) -> list[DiscordWebSocket]:
    """Open lines of this client that only the threads of their heartbeats know."""
    beating = [each for each in threading.enumerate() if isinstance(each, KeepAliveHandler)]
    lines = [thread.ws for thread in beating if thread.ws._keep_alive is thread]
    return [line for line in lines if line._connection is client._connection]


def payloads(tree: app_commands.CommandTree[discord.Client]) -> list[dict[str, object]]:
    """The commands as Discord would be sent them."""
    return [dict(command.to_dict(tree)) for command in tree.get_commands()]


class GlobalLimit:
    """Ends Discord's global limit for the calls of a client, where nobody else does.

    discord.py lets the one call that was told of the limit end it for all: if that is cut off
    while it waits, all others wait for ever.
    """

    def __init__(self) -> None:
        self._ends_at = 0.0

    def heard_by(self, trace: TraceConfig) -> TraceConfig:
        """The trace of a client's requests, which tells of limits from now on."""
        trace.on_request_end.append(self._hear)
        return trace

    def left(self, client: discord.Client) -> None:
        """A call ended that may have been the one to end the limit: end it in time, not sooner."""
        if not client.http._global_over.is_set():
            now = monotonic()
            if self._ends_at < now:  # nobody told
                self._ends_at = now + LONGEST_LIMIT
            self._end(client)

    def _end(self, client: discord.Client) -> None:
        """Now, or when the limit is over, which may have been set again meanwhile."""
        seconds = self._ends_at - monotonic()
        if seconds <= 0:
            client.http._global_over.set()
        else:
            asyncio.get_running_loop().call_later(seconds, self._end, client)

    async def _hear(self, _: ClientSession, __: object, ended: TraceRequestEndParams) -> None:
        headers = ended.response.headers
        if ended.response.status == _TOO_MANY and "X-RateLimit-Global" in headers:
            told = headers.get("Retry-After", "")
            seconds = float(told) if told.isdecimal() else LONGEST_LIMIT
            self._ends_at = max(self._ends_at, monotonic() + min(seconds, LONGEST_LIMIT))


def _socket_of(api: URL) -> URL:
    return api.origin().with_scheme("wss" if api.scheme == "https" else "ws")
