"""A person's file, from where Discord keeps it."""

from __future__ import annotations

from aiohttp import ClientError, ClientSession, ClientTimeout, StreamReader
from discord.http import Route
from yarl import URL

from bots.discord.failures import DiscordRefused
from core.errors import Transient

_HOSTS = {"cdn.discordapp.com", "media.discordapp.net"}
_SECONDS = 60.0
_OK, _RATE_LIMITED, _SERVER_ERROR = 200, 429, 500
_ELSEWHERE = 0


async def download(address: str, limit: int) -> bytes:
    """The first `limit` bytes of a file; its link is valid for about a day.

    Raises:
        Transient: it may be there later.
        DiscordRefused: it is gone, or not Discord's.
    """
    url = URL(address, encoded=True)  # as it was signed
    if not _is_discords(url):
        raise DiscordRefused("a file that is kept elsewhere", _ELSEWHERE)
    try:
        async with (
            ClientSession(timeout=ClientTimeout(total=_SECONDS)) as session,
            session.get(url, allow_redirects=False) as response,
        ):
            if response.status == _OK:
                return await _first_bytes(response.content, limit)
            if response.status >= _SERVER_ERROR or response.status == _RATE_LIMITED:
                raise Transient(f"Discord has trouble with a file: HTTP {response.status}.")
            raise DiscordRefused("a file", response.status)
    except (ClientError, TimeoutError, OSError) as error:
        raise Transient(f"Discord did not give a file: {type(error).__name__}.") from error


def _is_discords(url: URL) -> bool:
    """A message can name files of any host; this process is not to be sent there."""
    if url.scheme == "https" and url.host in _HOSTS:
        return True
    return url.is_absolute() and url.origin() == URL(Route.BASE).origin()


async def _first_bytes(content: StreamReader, limit: int) -> bytes:
    found = bytearray()
    while len(found) < limit and (chunk := await content.read(limit - len(found))):
        found += chunk
    return bytes(found)
