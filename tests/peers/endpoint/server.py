"""The endpoint's server: takes requests on both APIs, and does with each as it was told."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Self

from aiohttp import web

from tests.peers.endpoint import chat, input_check
from tests.peers.endpoint.behaviours import (
    Behaviour,
    Disconnect,
    Exactly,
    Fail,
    Reply,
    Stall,
    behaviour_of,
)
from tests.peers.endpoint.bodies import Body, echo, in_messages
from tests.peers.endpoint.responses import Stream
from tests.peers.endpoint.rules import Api, Rule, unknown

if TYPE_CHECKING:
    from tests.peers.dialects import Dialect

_APIS: dict[str, Api] = {"/v1/chat/completions": "chat", "/v1/responses": "responses"}


class Endpoint:
    """The server; `async with` starts it on a free port and stops it.

    `rules` are those of the models that there are; without them it takes any model, and on Chat
    Completions everything. `models` is what it lists then, each with the date of its end.
    `requests`, `paths`, `keys` and `headers` are what came, in order; whoever answers sees each
    as a request of Chat Completions. `hurried`, once set, ends all pauses.
    """

    def __init__(
        self,
        answer: Callable[[Body], str | Behaviour] = echo,
        *,
        port: int = 0,
        pause: float = 0,
        rules: Sequence[Rule] = (),
        models: Mapping[str, str | None] | None = None,
    ) -> None:
        self.requests: list[Body] = []
        self.paths: list[str] = []
        self.keys: list[str] = []
        self.headers: list[set[str]] = []  # by their names, in lower case
        self._answer = answer
        self._script: deque[Behaviour] = deque()
        self._dialect: Dialect | None = None
        self._port = port
        self._pause = pause
        self._rules = {rule.model: rule for rule in rules}
        self._dates = {rule.model: rule.shutdown_date for rule in rules}
        self._dates = self._dates or dict(models or {"gpt-6-luna": None})
        self._reasoning: dict[tuple[str, str], list[Mapping[str, object]]] = {}
        self._open = 0
        self._changed = asyncio.Condition()
        self._closing = asyncio.Event()
        self._may_answer = asyncio.Event()
        self._may_answer.set()
        self.hurried = asyncio.Event()
        self._runner = web.AppRunner(
            self._app(), access_log=None, handler_cancellation=True, shutdown_timeout=0.5
        )

    @property
    def base_url(self) -> str:
        """What OPENAI_BASE_URL has to be."""
        return f"http://127.0.0.1:{self._port}/v1"

    def script(self, *behaviours: Behaviour) -> None:
        """Behave so at the next requests, one each; afterwards answer again.

        What is refused for what it says takes nothing off the script.
        """
        self._script.extend(behaviours)

    def play(self, dialect: Dialect) -> None:
        """Answer in this dialect from now on, with no rules besides its own."""
        self._dialect = dialect

    async def arrived(self, count: int = 1) -> None:
        """Wait for that many requests since the start."""
        async with self._changed:
            await self._changed.wait_for(lambda: len(self.requests) >= count)

    def hold(self) -> None:
        """Take requests, and say nothing to them until `release`."""
        self._may_answer.clear()

    def release(self) -> None:
        """Answer what waits."""
        self._may_answer.set()

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
        for path in _APIS:
            app.router.add_post(path, self._asked)
        app.router.add_get("/v1/models", self._models)
        app.router.add_get("/v1/models/{id:.+}", self._model)
        app.router.add_get("/requests", self._journal)
        app.router.add_post("/script", self._scripted)
        return app

    async def _models(self, _: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": [*map(self._card, self._dates)]})

    async def _model(self, request: web.Request) -> web.Response:
        model = request.match_info["id"]
        if model not in self._dates:
            return _failure(unknown(model))
        return web.json_response(self._card(model))

    def _card(self, model: str) -> Mapping[str, object]:
        card = {"id": model, "object": "model", "created": 0, "owned_by": "peers"}
        date = self._dates[model]
        return card if date is None else {**card, "shutdown_date": date}

    async def _journal(self, _: web.Request) -> web.Response:
        return web.json_response(
            {"count": len(self.requests), "requests": self.requests, "paths": self.paths}
        )

    async def _scripted(self, request: web.Request) -> web.Response:
        self.script(*(behaviour_of(item) for item in await request.json()))
        return web.json_response({"waiting": len(self._script)})

    async def _asked(self, request: web.Request) -> web.StreamResponse:
        body: Body = await request.json()
        self.keys.append(request.headers.get("Authorization", "").removeprefix("Bearer "))
        self.headers.append({name.lower() for name in request.headers})
        self.paths.append(request.path)
        await self._count(1, body)
        try:
            api = _APIS[request.path]
            behaviour = self._refused(api, body) or self._next(api, body)
            await self._may_answer.wait()
            return await self._behave(behaviour, request, body)
        finally:
            await self._count(-1)

    async def _count(self, streams: int, body: Body | None = None) -> None:
        async with self._changed:
            self._open += streams
            if body is not None:
                self.requests.append(body)
            self._changed.notify_all()

    def _refused(self, api: Api, body: Body) -> Fail | None:
        if self._dialect:
            return chat.refused(body) if api == "chat" else input_check.refused(body)
        if api == "responses" and (fault := input_check.refused(body, self._reasoning)):
            return fault
        rule = self._rules.get(body["model"])
        if rule is None:
            return unknown(body["model"]) if self._rules else None
        return rule.refused(api, body) or (chat.refused(body) if api == "chat" else None)

    def _next(self, api: Api, body: Body) -> Behaviour:
        if self._script:
            return self._script.popleft()
        if dialect := self._dialect:
            return dialect.answer(body) if api == dialect.api else dialect.elsewhere
        said = self._answer(in_messages(body))
        return Reply(text=said, pause=self._pause) if isinstance(said, str) else said

    async def _behave(
        self, behaviour: Behaviour, request: web.Request, body: Body
    ) -> web.StreamResponse:
        if isinstance(behaviour, Fail):
            return _failure(behaviour)
        response = web.StreamResponse(headers={"Content-Type": _EVENT_STREAM})
        if isinstance(behaviour, Exactly):
            response = web.StreamResponse(
                status=behaviour.status, headers={"Content-Type": behaviour.content_type}
            )
        if getattr(behaviour, "answered", True):
            await response.prepare(request)
        for event in self._events(behaviour, request.path, body):
            await self._sleep(behaviour.pause if isinstance(behaviour, Reply) else 0)
            await response.write(event.encode())
        if isinstance(behaviour, Stall):
            await self._closing.wait()
        if isinstance(behaviour, Disconnect | Stall) and request.transport:
            request.transport.abort()
        return response

    async def _sleep(self, seconds: float) -> None:
        if not seconds:
            await asyncio.sleep(0)
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.hurried.wait()

    def _events(self, behaviour: Behaviour, path: str, body: Body) -> Iterator[str]:
        if isinstance(behaviour, Exactly):
            return iter(behaviour.pieces)
        if _APIS[path] == "chat":
            return chat.events(behaviour, body)
        return self._stream(body).events(behaviour)

    def _stream(self, body: Body) -> Stream:
        rule = self._rules.get(body["model"])
        reasons = rule.reasons(body) if rule else bool(body.get("include"))

        def give(call: str, reasoning: Mapping[str, object]) -> None:
            self._reasoning.setdefault((body["model"], call), []).append(reasoning)

        return Stream(body, reasons=reasons, give=give)


_EVENT_STREAM = "text/event-stream; charset=utf-8"


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
