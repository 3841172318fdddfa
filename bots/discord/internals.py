"""Everything that is used of discord.py and not public; test_internals.py checks each."""

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

LONGEST_LIMIT = 30.0  # seconds: after a longer Retry-After, discord.py gives up the call

_OWN_API, _OWN_GATEWAY = Route.BASE, DiscordWebSocket.DEFAULT_GATEWAY
_TOO_MANY = 429


def point_at(api_url: str | None) -> None:
    """Set the base URL of the API for this whole process; None for Discord's own.

    Sets a gateway on the same host, too, until `connect_to` gets the one from `/gateway/bot`.
    """
    Route.BASE = api_url.rstrip("/") if api_url else _OWN_API
    DiscordWebSocket.DEFAULT_GATEWAY = _socket_of(URL(api_url)) if api_url else _OWN_GATEWAY
    discord.VoiceClient.warn_nacl = discord.VoiceClient.warn_dave = False


def api_url() -> str:
    """The base URL of the API."""
    return Route.BASE


def connect_to(gateway: str) -> None:
    """Set the URL at which discord.py starts sessions, also those that replace a lost one."""
    DiscordWebSocket.DEFAULT_GATEWAY = URL(gateway)


async def gateway(client: discord.Client) -> object:
    """The JSON of `/gateway/bot`: the gateway's URL, and how many sessions may be started."""
    answer: object = await client.http.request(Route("GET", "/gateway/bot"))
    return answer


async def open_thread(client: discord.Client, channel: int, message: int, name: str) -> None:
    """Open a thread from a message; discord.py's public method fetches the channel first."""
    await client.http.start_thread_with_message(
        channel, message, name=name, auto_archive_duration=1440
    )


async def unarchive(client: discord.Client, thread: int) -> None:
    """Unarchive a thread; discord.py's public method fetches the thread first."""
    await client.http.edit_channel(thread, archived=False)


async def abort(client: discord.Client) -> None:
    """Drop the connections of a client that does not close."""
    await client.http.close()


def leftover_sockets(client: discord.Client) -> list[DiscordWebSocket]:
    """This client's open gateway sockets that only their heartbeat threads still hold."""
    beating = [each for each in threading.enumerate() if isinstance(each, KeepAliveHandler)]
    sockets = [thread.ws for thread in beating if thread.ws._keep_alive is thread]
    return [socket for socket in sockets if socket._connection is client._connection]


def payloads(tree: app_commands.CommandTree[discord.Client]) -> list[dict[str, object]]:
    """The JSON of all commands, as Discord is sent it."""
    return [dict(command.to_dict(tree)) for command in tree.get_commands()]


class GlobalLimit:
    """Releases the calls that wait for Discord's global rate limit, if discord.py does not.

    In discord.py the call that got the 429 releases all others when the limit is over. If that
    call is cancelled while it waits, the others would wait for ever.
    """

    def __init__(self) -> None:
        self._ends_at = 0.0

    def watch(self, trace: TraceConfig) -> TraceConfig:
        """Learn the limit's end from the responses of this trace; returns the trace."""
        trace.on_request_end.append(self._response)
        return trace

    def release(self, client: discord.Client) -> None:
        """Call this after each call: it may have been the one to release the others in time."""
        if not client.http._global_over.is_set():
            now = monotonic()
            if self._ends_at < now:  # no response told
                self._ends_at = now + LONGEST_LIMIT
            self._end(client)

    def _end(self, client: discord.Client) -> None:
        """End the limit now or, if it has not passed or was set again, later."""
        seconds = self._ends_at - monotonic()
        if seconds <= 0:
            client.http._global_over.set()
        else:
            asyncio.get_running_loop().call_later(seconds, self._end, client)

    async def _response(self, _: ClientSession, __: object, ended: TraceRequestEndParams) -> None:
        headers = ended.response.headers
        if ended.response.status == _TOO_MANY and "X-RateLimit-Global" in headers:
            told = headers.get("Retry-After", "")
            seconds = float(told) if told.isdecimal() else LONGEST_LIMIT
            self._ends_at = max(self._ends_at, monotonic() + min(seconds, LONGEST_LIMIT))


def _socket_of(api: URL) -> URL:
    return api.origin().with_scheme("wss" if api.scheme == "https" else "ws")
