"""The events of a streamed answer, from the bytes that an endpoint really sends."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any, cast

from httpx2 import Response
from pydantic_core import from_json

from core.llm.untrusted import list_of, mapping_of

_LARGEST = 32 * 1024 * 1024  # bytes of one event or body: encrypted reasoning comes in one piece
_DEEPEST = 100  # levels: what is kept of an event is walked and written again
_DONE = b"[DONE]"
_BEFORE = b"\xef\xbb\xbf \t\r\n"  # what may stand before the first character
_EMPTY_LINES = (b"\n\n", b"\n\r\n", b"\r\r")


class Malformed(Exception):
    """What came is no event of an answer."""


@dataclass(slots=True)
class Event:
    """One JSON object of the stream, and the name that the stream gives it.

    `is_end` marks the word with which Chat Completions ends a stream; it has no data.
    """

    name: str
    data: dict[str, Any]
    is_end: bool = False

    @property
    def kind(self) -> str:
        """The type in the data, which Responses has, or the name."""
        kind = self.data.get("type")
        return kind if isinstance(kind, str) else self.name


async def events(response: Response) -> AsyncGenerator[list[Event], None]:
    """The events in order: lists of those that came at once, none of them empty.

    A body that is JSON, although a stream was asked for, is one event. The content type is not
    looked at: some endpoints name another. Comments, keep-alives and events without data are left
    out, and the last event needs no empty line.

    Raises:
        Malformed: something is not JSON, no object, or larger or deeper than any answer.
        httpx2.HTTPError: the connection failed.
    """
    waiting, is_stream = b"", None
    async for piece in response.aiter_bytes():
        waiting += piece
        if is_stream is None:
            waiting = waiting.lstrip(_BEFORE)
            is_stream = waiting[:1] != b"{" if waiting else None
        if len(waiting) > _LARGEST:
            raise Malformed
        if is_stream and (end := _end(waiting)):
            if together := _parsed(waiting[:end]):
                yield together
            waiting = waiting[end:]
    if not waiting.strip():
        return
    if not is_stream:
        yield [Event("message", _object(waiting))]
    elif together := _parsed(waiting + b"\n\n"):
        yield together


def _end(waiting: bytes) -> int:
    """Where the last event ends that has come whole; 0 if there is none."""
    ends = ((waiting.rfind(line), len(line)) for line in _EMPTY_LINES)
    return max(begin + length if begin >= 0 else 0 for begin, length in ends)


def _parsed(whole: bytes) -> list[Event]:
    """By the HTML standard's section on server-sent events.

    httpx2's EventSource parses a response only: each read would have to become one.
    """
    parsed: list[Event] = []
    name, data = b"", list[bytes]()
    for line in whole.splitlines():
        field, _, value = line.partition(b":")
        if field == b"data":
            data.append(value.removeprefix(b" "))
        elif field == b"event":
            name = value.removeprefix(b" ")
        elif not line:
            if data and (event := _event(name.decode(errors="replace"), b"\n".join(data))):
                parsed.append(event)
            name, data = b"", []
    return parsed


def _event(name: str, data: bytes) -> Event | None:
    if data.startswith(_DONE):
        return Event(name, {}, is_end=True)
    if not data.strip() or data.startswith(b":"):  # a comment, made data
        return None
    return Event(name, _object(data))


def _object(data: bytes) -> dict[str, Any]:
    try:
        parsed = _json(data)
    except (ValueError, RecursionError) as error:
        raise Malformed from error
    if data.count(b"{") + data.count(b"[") > _DEEPEST and _is_too_deep(parsed):
        raise Malformed
    if not isinstance(parsed, dict):
        raise Malformed
    return cast("dict[str, Any]", parsed)


def _json(data: bytes) -> object:
    """By the faster parser, which takes no halves of characters that were cut apart."""
    try:
        return from_json(data)
    except ValueError:
        return json.loads(data.decode(errors="replace"))


def _is_too_deep(parsed: object) -> bool:
    level = [parsed]
    for _ in range(_DEEPEST):
        level = [inner for each in level for inner in (*mapping_of(each).values(), *list_of(each))]
        if not level:
            return False
    return True
