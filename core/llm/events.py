"""The events of a streamed answer, from the bytes that an endpoint really sends."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass, field
from typing import Any, cast

from httpx2 import EventSource, Response

_LARGEST_EVENT = 32 * 1024 * 1024  # bytes: encrypted reasoning comes in one piece
_LARGEST_BODY = 32 * 1024 * 1024
_DONE = "[DONE]"
_STREAMED = {"content-type": "text/event-stream; charset=utf-8"}


class Malformed(Exception):
    """What came is no event of an answer."""


@dataclass(frozen=True, slots=True)
class Event:
    """One JSON object of the stream, and the name that the stream gives it.

    `is_end` marks the word with which Chat Completions ends a stream; it has no data.
    """

    name: str
    data: dict[str, Any] = field(default_factory=dict[str, Any])
    is_end: bool = False


async def events(response: Response) -> AsyncGenerator[Event, None]:
    """Each event in order. A body that is JSON, although a stream was asked for, is one event.

    The content type is not looked at: some endpoints name another. Comments, keep-alives and
    events without data are left out.

    Raises:
        Malformed: something is not JSON, no object, or larger than any answer.
        httpx2.HTTPError: the connection failed.
    """
    pieces = response.aiter_bytes()
    beginning = await _beginning(pieces)
    if beginning[:1] == b"{":
        yield Event("message", _parsed(await _whole(beginning, pieces)))
        return
    stream = Response(
        200, headers=_STREAMED, content=_closed(beginning, pieces), request=response.request
    )
    async for event in EventSource(stream, max_event_size=_LARGEST_EVENT):
        if event.data.startswith(_DONE):
            yield Event(event.event, is_end=True)
        elif event.data.strip() and not event.data.startswith(":"):  # a comment, made data
            yield Event(event.event, _parsed(event.data))


async def _beginning(pieces: AsyncIterator[bytes]) -> bytes:
    """As much as it takes to see with which character the body begins."""
    async for piece in pieces:
        if beginning := piece.lstrip(b"\xef\xbb\xbf \t\r\n"):
            return beginning
    return b""


async def _whole(beginning: bytes, pieces: AsyncIterator[bytes]) -> bytes:
    whole = bytearray(beginning)
    async for piece in pieces:
        whole += piece
        if len(whole) > _LARGEST_BODY:
            raise Malformed
    return bytes(whole)


async def _closed(beginning: bytes, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The body, and an empty line: some endpoints leave out the one after the last event."""
    yield beginning
    async for piece in pieces:
        yield piece
    yield b"\n\n"


def _parsed(text: str | bytes) -> dict[str, Any]:
    try:
        parsed: object = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Malformed from error
    if not isinstance(parsed, dict):
        raise Malformed
    return cast("dict[str, Any]", parsed)
