"""The web side: Web API calls, uploads, downloads, response URLs and the OAuth page."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from urllib.parse import urlencode

from aiohttp import web

from tests.peers.slack import request as requests
from tests.peers.slack.backend import Backend
from tests.peers.slack.faults import Fault, Trouble
from tests.peers.slack.journal import Entry, Journal
from tests.peers.slack.methods import (
    assistant,
    auth,
    chat,
    conversations,
    files,
    streaming,
    usergroups,
    views,
)
from tests.peers.slack.request import Request
from tests.peers.slack.wire import Json, RefusedError, parsed
from tests.peers.slack.world import File

Method = Callable[[Backend, Request], Json]
METHODS: dict[str, Method] = {
    **auth.METHODS,
    **chat.METHODS,
    **streaming.METHODS,
    **conversations.METHODS,
    **assistant.METHODS,
    **files.METHODS,
    **views.METHODS,
    **usergroups.METHODS,
}
DOWNLOAD = "files.download"  # in the journal and for faults; Slack has no such method
_NEED_NO_TOKEN = {"oauth.v2.access"}


class Api:
    """Each call: journal, fault, token, rate, effect, answer."""

    def __init__(self, slack: Backend, journal: Journal) -> None:
        self._slack = slack
        self._journal = journal

    def add_routes(self, app: web.Application) -> None:
        app.router.add_route("*", "/api/{method}", self._call)
        app.router.add_route("*", "/upload/v1/{file}", self._upload)
        app.router.add_get("/files-pri/{file}/{name:.*}", self._download)
        app.router.add_get("/login", self._login)
        app.router.add_post("/response/{key}", self._respond)
        app.router.add_get("/oauth/v2/authorize", self._authorize)
        app.router.add_get("/link/", self._slack.sockets.serve)

    async def _call(self, http: web.Request) -> web.StreamResponse:
        method = http.match_info["method"]
        fault = self._slack.faults.draw(method)
        try:
            request = await requests.read(method, http)
        except RefusedError as refused:
            return web.json_response(refused.body)
        entry = self._journal.open(self._slack.clock.now(), method, request.arguments)
        entry.fault = fault.trouble.value if fault else ""
        if fault and not fault.is_after_commit:
            answer = await self._struck(http, fault)
            if answer is not None:
                return self._noted(entry, answer)
        answer = self._perform(method, request, entry)
        if fault and fault.is_after_commit:
            answer = await self._struck(http, fault) or answer
        return self._noted(entry, answer)

    async def _struck(self, http: web.Request, fault: Fault) -> web.Response | None:
        """What the fault answers instead; None after a mere delay."""
        match fault.trouble:
            case Trouble.RATE_LIMITED:
                return _rate_limited(fault.retry_after)
            case Trouble.STATUS | Trouble.STATUS_AFTER_COMMIT:
                return web.Response(status=fault.status, text="upstream connect error")
            case Trouble.ERROR | Trouble.ERROR_AFTER_COMMIT:
                return web.json_response(Json(ok=False, error=fault.error))
            case Trouble.DELAY | Trouble.DELAY_AFTER_COMMIT:
                await fault.passed()
                return None
            case Trouble.DROP_BEFORE_COMMIT | Trouble.DROP_AFTER_COMMIT:
                if isinstance(http.transport, asyncio.Transport):
                    http.transport.abort()
                return web.Response(status=499)  # nobody is there to read it

    def _perform(self, method: str, request: Request, entry: Entry) -> web.Response:
        try:
            if method not in METHODS:
                raise RefusedError("unknown_method", req_method=method)
            if method not in _NEED_NO_TOKEN:
                request.authenticate(self._slack.world.tokens)
                wait = self._slack.rates.wait(method, request.team, request.text("channel"))
                if wait:
                    return _rate_limited(wait)
            body = Json(ok=True, **METHODS[method](self._slack, request))
            entry.is_committed = True
        except RefusedError as refused:
            body = refused.body
        entry.answer = body
        headers = {"x-slack-req-id": f"peer-{entry.number}"}
        if method not in _NEED_NO_TOKEN and body["ok"]:
            headers["x-oauth-scopes"] = ",".join(sorted(request.token.scopes))
        return web.json_response(body, headers=headers)

    def _noted(self, entry: Entry, answer: web.Response) -> web.Response:
        entry.status = 0 if answer.status == 499 else answer.status
        if answer.status == 429:
            entry.error = "ratelimited"
        elif answer.content_type == "application/json" and answer.text:
            entry.error = str(parsed(answer.text).get("error", ""))
        return answer

    async def _upload(self, http: web.Request) -> web.Response:
        """Raw bytes or a multipart form, whichever the client likes."""
        file = self._slack.world.files.get(http.match_info["file"])
        if file is None or file.is_complete:
            return web.Response(status=404, text="not found")
        if http.content_type.startswith("multipart/"):
            parts = list((await http.post()).values())
            part = parts[0] if parts else b""
            content = part.file.read() if isinstance(part, web.FileField) else part
            file.content = content.encode() if isinstance(content, str) else bytes(content)
        else:
            file.content = await http.read()
        return web.Response(text=f"OK - {len(file.content)}")

    async def _download(self, http: web.Request) -> web.Response:
        """Without a good token Slack leads to the login page, with 200 and HTML."""
        authorization = http.headers.get("Authorization", "")
        arguments = Json(path=http.raw_path, authorization=authorization)
        entry = self._journal.open(self._slack.clock.now(), DOWNLOAD, arguments)
        fault = self._slack.faults.draw(DOWNLOAD)
        struck = await self._struck(http, fault) if fault else None
        if struck is not None:
            return self._noted(entry, struck)
        try:
            file = self._downloadable(http.match_info["file"], authorization)
        except RefusedError:
            return self._noted(entry, _led_to("/login?redir=%2Ffiles-pri"))
        if file.leads_to:
            return self._noted(entry, _led_to(file.leads_to))
        entry.is_committed = True
        return self._noted(entry, web.Response(body=file.content, content_type=file.mimetype))

    def _downloadable(self, name: str, authorization: str) -> File:
        team, _, file_id = name.partition("-")
        token = self._slack.world.tokens.get(authorization.removeprefix("Bearer "))
        if token is None or token.trouble or "files:read" not in token.scopes:
            raise RefusedError("invalid_auth")
        file = self._slack.world.find_file(file_id, token.team)
        if file.team != team or file.mode != "hosted":
            raise RefusedError("file_not_found")
        return file

    async def _login(self, _http: web.Request) -> web.Response:
        return web.Response(text="<html><title>Sign in</title></html>", content_type="text/html")

    async def _respond(self, http: web.Request) -> web.Response:
        try:
            body = parsed(await http.read())
            self._slack.interactions.respond(http.match_info["key"], body)
        except RefusedError as refused:
            return web.json_response(refused.body, status=404)
        except ValueError:
            return web.Response(status=400, text="invalid_payload")
        return web.Response(text="ok")

    async def _authorize(self, http: web.Request) -> web.Response:
        """The person agrees at once; `team` picks the workspace, the first one without it."""
        world = self._slack.world
        if http.query.get("client_id") != auth.CLIENT_ID:
            return web.Response(status=400, text="invalid_client_id")
        world.consents += 1
        code = world.new_id("code-")
        world.codes[code] = http.query.get("team") or next(iter(world.teams))
        back = urlencode({"code": code, "state": http.query.get("state", "")})
        raise web.HTTPFound(f"{http.query['redirect_uri']}?{back}")


def _rate_limited(seconds: int) -> web.Response:
    body = Json(ok=False, error="ratelimited")
    return web.json_response(body, status=429, headers={"Retry-After": str(seconds)})


def _led_to(address: str) -> web.Response:
    return web.Response(status=302, headers={"Location": address})
