"""A model endpoint on the loopback that speaks Chat Completions, scripted request by request.

As a process: `python -m tests.peers.endpoint [--port N] [--pause 0.05]` prints its base URL;
beside the API it has `GET /requests` and `POST /script` (a list such as
`[{"kind": "Fail", "status": 503}, {"kind": "Reply", "text": "Hello"}]`).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import signal
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import NotRequired, Self, TypedDict

from aiohttp import web
from pydantic import TypeAdapter

_STOP_WORDS = {
    "about",
    "does",
    "have",
    "that",
    "there",
    "this",
    "what",
    "when",
    "where",
    "which",
    "with",
    "your",
}
_TEXT = "This is the answer that you wait for."
_DONE = "[DONE]"


class Message(TypedDict):
    """One message of a request."""

    role: str
    content: str | None
    tool_calls: NotRequired[list[dict[str, object]]]
    tool_call_id: NotRequired[str]


class Body(TypedDict):
    """A request, as far as anybody looks at it."""

    model: str
    messages: list[Message]
    stream: bool
    stream_options: NotRequired[dict[str, bool]]
    tools: NotRequired[list[dict[str, object]]]
    temperature: NotRequired[float]


@dataclass(frozen=True, kw_only=True)
class Reply:
    """A whole answer, in chunks of `size` characters, `pause` seconds before each."""

    text: str
    pause: float = 0
    size: int = 12
    finish_reason: str = "stop"
    usage: bool = True
    cached_tokens: int = 0


@dataclass(frozen=True, kw_only=True)
class CallTool:
    """The call of one tool; `arguments` is JSON text, or not."""

    name: str
    arguments: str = "{}"
    id: str = ""


@dataclass(frozen=True, kw_only=True)
class CallTools:
    """Some text, and then the call of several tools."""

    calls: tuple[CallTool, ...]
    text: str = ""


@dataclass(frozen=True, kw_only=True)
class Fail:
    """An error instead of an answer."""

    status: int
    retry_after: float | None = None
    code: str | None = None
    type: str = "error"
    message: str = "scripted failure"
    param: str | None = None


@dataclass(frozen=True, kw_only=True)
class Truncate:
    """A stream that ends as if all were well, after so many chunks of text."""

    after: int = 0
    text: str = _TEXT


@dataclass(frozen=True, kw_only=True)
class Malformed:
    """A chunk that is not JSON, after so many chunks of text."""

    after: int = 0
    text: str = _TEXT


@dataclass(frozen=True, kw_only=True)
class Disconnect:
    """The connection is reset after so many chunks of text; `answered` is whether headers came."""

    after: int = 0
    answered: bool = True
    text: str = _TEXT


@dataclass(frozen=True, kw_only=True)
class Stall:
    """Nothing more comes after so many chunks of text; `answered` is whether headers came."""

    after: int = 0
    answered: bool = True
    text: str = _TEXT


@dataclass(frozen=True, kw_only=True)
class Raw:
    """Exactly these events of the stream, and the end."""

    events: tuple[str, ...]


Behaviour = Reply | CallTool | CallTools | Fail | Truncate | Malformed | Disconnect | Stall | Raw
_KINDS: dict[str, type[Behaviour]] = {
    kind.__name__: kind
    for kind in (Reply, CallTool, CallTools, Fail, Truncate, Malformed, Disconnect, Stall, Raw)
}


def echo(body: Body) -> str:
    """Repeats the last message of the person."""
    return f"You said: {_spoken(body)[-1]}"


def recall(body: Body) -> str:
    """Answers a question by the newest earlier message that shares a word, else repeats."""
    *earlier, last = _spoken(body)
    if "?" in last:
        for message in reversed(earlier):
            if _content_words(message) & _content_words(last):
                return f"Earlier you said: {message}"
    return echo(body)


class Endpoint:
    """The server; `async with` starts it on a free port and stops it."""

    def __init__(
        self, answer: Callable[[Body], str | Behaviour] = echo, *, port: int = 0, pause: float = 0
    ) -> None:
        self.requests: list[Body] = []
        self.keys: list[str] = []
        self._answer = answer
        self._script: deque[Behaviour] = deque()
        self._port = port
        self._pause = pause
        self._open = 0
        self._changed = asyncio.Condition()
        self._closing = asyncio.Event()
        self._runner = web.AppRunner(
            self._app(), access_log=None, handler_cancellation=True, shutdown_timeout=0.5
        )

    @property
    def base_url(self) -> str:
        """What OPENAI_BASE_URL has to be."""
        return f"http://127.0.0.1:{self._port}/v1"

    def script(self, *behaviours: Behaviour) -> None:
        """Behave so at the next requests, one each; afterwards answer again."""
        self._script.extend(behaviours)

    async def arrived(self, count: int = 1) -> None:
        """Wait for that many requests since the start."""
        async with self._changed:
            await self._changed.wait_for(lambda: len(self.requests) >= count)

    async def idle(self) -> None:
        """Wait until no stream is open."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._open == 0)

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port).start()
        self._port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self._closing.set()
        await self._runner.cleanup()

    def _app(self) -> web.Application:
        app = web.Application()
        app.router.add_post("/v1/chat/completions", self._completions)
        app.router.add_get("/v1/models", self._models)
        app.router.add_get("/requests", self._journal)
        app.router.add_post("/script", self._scripted)
        return app

    async def _models(self, _: web.Request) -> web.Response:
        model = {"id": "gpt-4o", "object": "model", "created": 0, "owned_by": "peers"}
        return web.json_response({"object": "list", "data": [model]})

    async def _journal(self, _: web.Request) -> web.Response:
        return web.json_response({"count": len(self.requests), "requests": self.requests})

    async def _scripted(self, request: web.Request) -> web.Response:
        self.script(*(_behaviour(item) for item in await request.json()))
        return web.json_response({"waiting": len(self._script)})

    async def _completions(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.keys.append(request.headers.get("Authorization", "").removeprefix("Bearer "))
        await self._count(1, body)
        try:
            behaviour = self._script.popleft() if self._script else None
            if behaviour is None:
                said = self._answer(body)
                behaviour = Reply(text=said, pause=self._pause) if isinstance(said, str) else said
            return await self._behave(behaviour, request, body)
        finally:
            await self._count(-1)

    async def _count(self, streams: int, body: Body | None = None) -> None:
        async with self._changed:
            self._open += streams
            if body is not None:
                self.requests.append(body)
            self._changed.notify_all()

    async def _behave(
        self, behaviour: Behaviour, request: web.Request, body: Body
    ) -> web.StreamResponse:
        if isinstance(behaviour, Fail):
            return _failure(behaviour)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream; charset=utf-8"})
        if getattr(behaviour, "answered", True):
            await response.prepare(request)
        for event in _events(behaviour, body):
            await asyncio.sleep(behaviour.pause if isinstance(behaviour, Reply) else 0)
            await response.write(f"data: {event}\n\n".encode())
        if isinstance(behaviour, Stall):
            await self._closing.wait()
        if isinstance(behaviour, Disconnect | Stall) and request.transport:
            request.transport.abort()
        return response


def _failure(behaviour: Fail) -> web.Response:
    retry_after = behaviour.retry_after
    return web.json_response(
        {
            "error": {
                "message": behaviour.message,
                "type": behaviour.type,
                "param": behaviour.param,
                "code": behaviour.code,
            }
        },
        status=behaviour.status,
        headers={} if retry_after is None else {"Retry-After": f"{retry_after:g}"},
    )


def _events(behaviour: Behaviour, body: Body) -> Iterator[str]:
    """The data of each event."""
    match behaviour:
        case Raw():
            yield from behaviour.events
        case Reply():
            yield from _answer(behaviour, body)
        case CallTool():
            yield from _tool_calls(CallTools(calls=(behaviour,)), body)
        case CallTools():
            yield from _tool_calls(behaviour, body)
        case Truncate() | Malformed() | Disconnect() | Stall():
            yield from _texts(behaviour.text, 5, body)[: behaviour.after]
            if isinstance(behaviour, Malformed):
                yield '{"id": "chatcmpl-1", "choices": [{"delta": {"con'
        case Fail():
            raise AssertionError("answered without a stream")


def _answer(reply: Reply, body: Body) -> Iterator[str]:
    yield _chunk(body, {"role": "assistant", "content": "", "refusal": None})
    yield from _texts(reply.text, reply.size, body)
    yield _chunk(body, {}, finish_reason=reply.finish_reason)
    if reply.usage and (body.get("stream_options") or {}).get("include_usage"):
        yield _usage(reply, body)
    yield _DONE


def _tool_calls(calls: CallTools, body: Body) -> Iterator[str]:
    """Names first, then the arguments in two pieces, as the real one does it."""
    yield _chunk(body, {"role": "assistant", "content": None})
    yield from _texts(calls.text, 12, body)
    for index, call in enumerate(calls.calls):
        half = len(call.arguments) // 2
        head = {"id": call.id or f"call_{len(body['messages'])}_{index}", "type": "function"}
        for piece in (
            {**head, "function": {"name": call.name, "arguments": ""}},
            {"function": {"arguments": call.arguments[:half]}},
            {"function": {"arguments": call.arguments[half:]}},
        ):
            yield _chunk(body, {"tool_calls": [{"index": index, **piece}]})
    yield _chunk(body, {}, finish_reason="tool_calls")
    yield _DONE


def _texts(text: str, size: int, body: Body) -> list[str]:
    pieces = [text[start : start + size] for start in range(0, len(text), size)]
    return [_chunk(body, {"content": piece}) for piece in pieces]


def _chunk(body: Body, delta: Mapping[str, object], finish_reason: str | None = None) -> str:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
    return _event(body, choices=[choice], usage=None)


def _usage(reply: Reply, body: Body) -> str:
    prompt = sum(len(str(message["content"]).split()) for message in body["messages"])
    answer = len(reply.text.split())
    usage = {
        "prompt_tokens": prompt,
        "completion_tokens": answer,
        "total_tokens": prompt + answer,
        "prompt_tokens_details": {"cached_tokens": reply.cached_tokens},
    }
    return _event(body, choices=[], usage=usage)


def _event(body: Body, **fields: object) -> str:
    event = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1}
    return json.dumps({**event, "model": body["model"], **fields}, ensure_ascii=False)


def _behaviour(item: dict[str, object]) -> Behaviour:
    """From JSON: the class by name, and its fields."""
    kind = _KINDS[str(item["kind"])]
    fields = {name: value for name, value in item.items() if name != "kind"}
    return TypeAdapter[Behaviour](kind).validate_python(fields)


def _spoken(body: Body) -> list[str]:
    return [message["content"] or "" for message in body["messages"] if message["role"] == "user"]


def _content_words(text: str) -> set[str]:
    return {word for word in re.findall(r"\w{4,}", text.casefold()) if word not in _STOP_WORDS}


async def _serve(port: int, pause: float) -> None:
    stopped = asyncio.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signum, stopped.set)
    async with Endpoint(recall, port=port, pause=pause) as endpoint:
        print(endpoint.base_url, flush=True)  # noqa: T201 - the parent reads it
        await stopped.wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--pause", type=float, default=0.0, help="seconds before each chunk")
    arguments = parser.parse_args()
    asyncio.run(_serve(arguments.port, arguments.pause))
