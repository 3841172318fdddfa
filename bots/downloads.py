"""Fetches a file that a person sent: from where its platform keeps it, and from nowhere else."""

from __future__ import annotations

import re
from collections.abc import Iterable

from aiohttp import ClientError, ClientResponse, ClientSession, ClientTimeout, StreamReader
from tenacity import (
    retry,
    retry_if_exception_type,
    stop_after_attempt,
    wait_random_exponential,
)
from yarl import URL

from bots.connections import Connector
from bots.requests import guard
from core import network
from core.errors import DeliveryRefused, Transient

# A file's name as the last part of a path. What is escaped in it is neither dot, slash, backslash
# nor percent, and no control character: no server can read another path out of it.
NAME = (
    r"(?!\.{1,2}(?:\?|\Z))"
    r"(?:[\w.~!$&'()*+,;=:@-]|%(?![01]|2[5EeFf]|5[Cc]|7[Ff])[0-9A-Fa-f]{2})+"
)

_SECONDS = 20.0
_ATTEMPTS = 3
_OK, _RATE_LIMITED, _SERVER_ERROR = 200, 429, 500


def kept_at(origins: Iterable[str], path: str) -> re.Pattern[str]:
    """The addresses of files: one of these origins, letter by letter, and a path."""
    return re.compile(f"(?:{'|'.join(map(re.escape, origins))})(?:{path})", re.ASCII)


def origin_of(url: str) -> str:
    """Scheme, host and port."""
    return str(URL(url).origin())


async def download(
    address: str, limit: int, *, place: re.Pattern[str], token: str | None = None
) -> bytes:
    """The first `limit` bytes of the file at an address that `place` matches, whole.

    Redirects are not followed: whoever stands at their end is shown no token, and nothing is
    fetched there.

    Raises:
        Transient: the file may be had later.
        DeliveryRefused: it is kept elsewhere, or gone.
    """
    if not place.fullmatch(address):
        raise DeliveryRefused("A file is kept elsewhere than where its platform keeps files.")
    return await _download(URL(address, encoded=True), limit, token)


@retry(
    retry=retry_if_exception_type(Transient),
    stop=stop_after_attempt(_ATTEMPTS),
    wait=wait_random_exponential(multiplier=0.2, max=2),
    reraise=True,
)
async def _download(url: URL, limit: int, token: str | None) -> bytes:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        async with (
            ClientSession(
                connector=Connector(),
                timeout=ClientTimeout(total=_SECONDS),
                trace_configs=[guard()],
            ) as session,
            session.get(url, headers=headers, allow_redirects=False) as response,
        ):
            _check(response)
            return await _first_bytes(response.content, limit)
    except (ClientError, TimeoutError, OSError) as error:
        raise Transient(f"{url.host} did not give a file: {network.why(error)}.") from error


def _check(response: ClientResponse) -> None:
    status, host = response.status, response.url.host
    if status >= _SERVER_ERROR or status == _RATE_LIMITED:
        raise Transient(f"{host} has trouble with a file: HTTP {status}.")
    if status != _OK:
        raise DeliveryRefused(f"{host} does not give a file: HTTP {status}.")


async def _first_bytes(content: StreamReader, limit: int) -> bytes:
    found = bytearray()
    while len(found) < limit and (chunk := await content.read(limit - len(found))):
        found += chunk
    return bytes(found)
