"""The web side: REST calls, attachment downloads, and the way into the gateway."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from functools import cache, partial

from aiohttp import web

from tests.peers.discord import request as requests
from tests.peers.discord.backend import Backend
from tests.peers.discord.faults import Fault, Trouble
from tests.peers.discord.journal import Entry, Journal
from tests.peers.discord.request import Request
from tests.peers.discord.routes import applications, channels, interactions, messages
from tests.peers.discord.routes.route import Answer, Route
from tests.peers.discord.wire import Json, RefusedError

_OTHERS = ("gateway.connect", "gateway.resume", "attachments.get", "*")
ROUTES = (*messages.ROUTES, *channels.ROUTES, *interactions.ROUTES, *applications.ROUTES)
LABELS = frozenset({*(route.label for route in ROUTES), *_OTHERS})
_MOST_BODY = 64 * 1024 * 1024
_GONE = 499  # nobody is there to read it


class Api:
    """Each call: journal, fault, token, rate, effect, answer. `is_down`: every line is cut."""

    def __init__(self, discord: Backend, journal: Journal) -> None:
        self.is_down = False
        self._discord = discord
        self._journal = journal

    def app(self) -> web.Application:
        app = web.Application(client_max_size=_MOST_BODY)
        app[_API] = self
        app._router = _router()
        return app

    async def _call(self, route: Route, http: web.Request) -> web.StreamResponse:
        if self.is_down:
            return _cut(http)
        path = http.path.removeprefix("/api/v10")
        entry = self._journal.open(self._discord.clock.now(), route.label, route.method, path)
        fault = self._discord.faults.draw(route.label, f"{route.label} {path}")
        entry.fault = fault.trouble.value if fault else ""
        try:
            request = await requests.read(http)
        except RefusedError as refused:
            return self._noted(entry, _json(refused.body, refused.status))
        entry.parameters = {**request.query, **request.parts}
        entry.body = Json(items=request.items) if request.items else request.body
        if fault and not fault.is_after_commit:
            struck = await self._struck(http, fault)
            if struck is not None:
                return self._noted(entry, struck)
        answer = self._perform(route, http, request, entry)
        if fault and fault.is_after_commit:
            answer = await self._struck(http, fault) or answer
        return self._noted(entry, answer)

    async def _struck(self, http: web.Request, fault: Fault) -> web.Response | None:
        """What the fault answers instead; None after a mere delay."""
        answer: web.Response | None = None
        match fault.trouble:
            case Trouble.RATE_LIMITED | Trouble.RATE_LIMITED_GLOBALLY:
                is_global = fault.trouble is Trouble.RATE_LIMITED_GLOBALLY
                told = self._discord.rates.exhausted(fault.label, fault.retry_after)
                answer = _rate_limited(fault.retry_after, is_global=is_global, headers=told)
            case Trouble.BANNED:
                told = {"Retry-After": f"{fault.retry_after:g}"}
                answer = web.Response(status=429, text="error code: 1015", headers=told)
            case Trouble.STATUS | Trouble.STATUS_AFTER_COMMIT:
                answer = web.Response(status=fault.status, text="upstream connect error")
            case Trouble.ERROR:
                answer = _json(Json(message=fault.message, code=fault.code), fault.status)
            case Trouble.DELAY | Trouble.DELAY_AFTER_COMMIT:
                await fault.passed()
            case Trouble.DROP_BEFORE_COMMIT | Trouble.DROP_AFTER_COMMIT:
                answer = _cut(http)
        return answer

    def _perform(
        self, route: Route, http: web.Request, request: Request, entry: Entry
    ) -> web.Response:
        discord, major = self._discord, _major(request)
        authorization = http.headers.get("Authorization", "")
        if route.needs_token and authorization != f"Bot {discord.world.token}":
            return _json(Json(message="401: Unauthorized", code=0), 401)
        wait = discord.rates.wait(route.label, major)
        headers = discord.rates.headers(route.label, major)
        if wait:
            return _rate_limited(wait, headers=headers)
        try:
            answer = route.act(discord, request)
            entry.is_committed = True
        except RefusedError as refused:
            entry.code = refused.code
            return _json(refused.body, refused.status, headers)
        return _json(answer, 204 if answer is None else 200, headers)

    def _noted(self, entry: Entry, answer: web.Response) -> web.Response:
        entry.status = 0 if answer.status == _GONE else answer.status
        return answer

    async def _unknown(self, http: web.Request) -> web.StreamResponse:
        """Kept in the journal, so that a test can see what the peer lacks."""
        entry = self._journal.open(self._discord.clock.now(), "unknown", http.method, http.path)
        return self._noted(entry, _json(Json(message="404: Not Found", code=0), 404))

    async def _download(self, http: web.Request) -> web.StreamResponse:
        label, now = "attachments.get", self._discord.clock.now()
        entry = self._journal.open(now, label, http.method, http.path)
        entry.parameters = {"authorization": http.headers.get("Authorization", "")}
        fault = self._discord.faults.draw(label)
        struck = await self._struck(http, fault) if fault else None
        if struck is not None:
            return self._noted(entry, struck)
        file = self._discord.world.attachments.get(http.match_info["file"])
        if file is None or int(http.query.get("ex") or "0", 16) < now:
            return self._noted(
                entry, web.Response(status=404, text="This content is no longer available.")
            )
        return self._noted(entry, web.Response(body=file.content, content_type=file.content_type))

    async def _connect(self, http: web.Request) -> web.StreamResponse:
        label = "gateway.resume" if http.path.startswith("/resume") else "gateway.connect"
        entry = self._journal.open(self._discord.clock.now(), label, http.method, http.path)
        if self.is_down:
            return _cut(http)
        fault = self._discord.faults.draw(label)
        entry.fault = fault.trouble.value if fault else ""
        struck = await self._struck(http, fault) if fault else None
        if struck is not None:
            return self._noted(entry, struck)
        entry.status, entry.is_committed = 101, True
        return await self._discord.gateway.serve(http)


_API = web.AppKey("api", Api)


@cache
def _router() -> web.UrlDispatcher:
    """Made once for all peers: it takes longer than all else of a start."""
    router = web.UrlDispatcher()
    for route in ROUTES:
        router.add_route(route.method, f"/api/v10{route.path}", _handler(partial(_call, route)))
    router.add_route("*", "/api/{tail:.*}", _handler(Api._unknown))
    download = _handler(Api._download)
    router.add_get("/cdn/attachments/{channel}/{file}/{name:.*}", download)
    for path in ("/", "/resume", "/resume/"):
        router.add_get(path, _handler(Api._connect))
    return router


async def _call(route: Route, api: Api, http: web.Request) -> web.StreamResponse:
    return await api._call(route, http)


def _handler(
    act: Callable[[Api, web.Request], Awaitable[web.StreamResponse]],
) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def handle(http: web.Request) -> web.StreamResponse:
        return await act(http.app[_API], http)

    return handle


def _major(request: Request) -> str:
    names = ("channel", "guild", "token")
    return next((request.parts[name] for name in names if name in request.parts), "")


def _json(answer: Answer, status: int, headers: dict[str, str] | None = None) -> web.Response:
    """The content type without a charset: discord.py compares the whole header."""
    told = {"Via": "1.1 google", **(headers or {})}
    if answer is None:
        return web.Response(status=status, headers=told)
    body = json.dumps(answer).encode()
    return web.Response(status=status, body=body, content_type="application/json", headers=told)


def _rate_limited(
    seconds: float, *, is_global: bool = False, headers: dict[str, str] | None = None
) -> web.Response:
    body = Json(message="You are being rate limited.", retry_after=seconds)
    body["global"] = is_global
    told = {"Retry-After": str(max(1, round(seconds))), **(headers or {})}
    told["X-RateLimit-Scope"] = "global" if is_global else "user"
    if is_global:
        told["X-RateLimit-Global"] = "true"
    return _json(body, 429, told)


def _cut(http: web.Request) -> web.Response:
    if isinstance(http.transport, asyncio.Transport):
        http.transport.abort()
    return web.Response(status=_GONE)
