"""The way in by HTTP: signed events, commands and interactivity, through the same dispatcher."""

from __future__ import annotations

import asyncio
import json
import logging
from urllib.parse import parse_qsl

from slack_sdk.signature import Clock, SignatureVerifier
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from bots.background import Background
from bots.slack import fields, parse
from bots.slack.catch_up import CatchUp
from bots.slack.dispatch import Dispatcher, Kind
from bots.slack.markup import reply
from core.errors import Transient
from core.messaging.intake import Intake

log = logging.getLogger(__name__)

PATHS = ("/slack/events", "/slack/commands", "/slack/interactivity")
_MOST_BYTES = 2**22
_CONTENT_SECONDS = 3.0  # as long as Slack waits for the whole answer


def routes(dispatcher: Dispatcher, signing_secret: str, clock: Clock | None = None) -> list[Route]:
    """One endpoint at each path: which of them a kind of request comes to does not matter."""
    verifier = SignatureVerifier(signing_secret, clock or Clock())

    async def receive(request: Request) -> Response:
        content = await _content(request)
        if content is None or not _is_signed(verifier, content, request):
            return PlainTextResponse("not signed by Slack\n", status_code=401)
        return await _answer(dispatcher, content, request.headers)

    return [Route(path, receive, methods=["POST"]) for path in PATHS]


class HttpListener:
    """What has to run beside the routes. They answer for as long as the port is open."""

    def __init__(self, catch_up: CatchUp, background: Background) -> None:
        self._catch_up = catch_up
        self._background = background

    async def run(self, intake: Intake, stop: asyncio.Event) -> None:
        """Until `stop`."""
        self._catch_up.listen(is_listening=True)
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(self._background.run()),
                group.create_task(self._catch_up.run()),
            ]
            await stop.wait()
            for task in tasks:
                task.cancel()

    async def caught_up(self) -> None:
        """Return once what was missed before the start is in the inbox."""
        await self._catch_up.has_caught_up.wait()


async def _content(request: Request) -> bytes | None:
    """The body; None where it is longer than anything that Slack sends, or does not come."""
    content = b""
    try:
        async with asyncio.timeout(_CONTENT_SECONDS):
            async for piece in request.stream():
                content += piece
                if len(content) > _MOST_BYTES:
                    return None
    except (ClientDisconnect, TimeoutError):
        return None
    return content


def _is_signed(verifier: SignatureVerifier, content: bytes, request: Request) -> bool:
    try:
        return verifier.is_valid_request(content, dict(request.headers))
    except (ValueError, TypeError):  # a time that is no number, a body or signature that is no text
        return False


async def _answer(dispatcher: Dispatcher, content: bytes, headers: Headers) -> Response:
    kind, body = _read(content, headers.get("content-type", ""))
    attempt = headers.get("x-slack-retry-num", "")
    if kind is None:
        return Response()
    if fields.text_at(body, "type") == "url_verification":
        return PlainTextResponse(fields.text_at(body, "challenge"))
    try:
        words = await dispatcher.take(
            kind, body, attempt=int(attempt) if attempt.isdecimal() else 0
        )
    except Transient as error:
        extra = {"kind": parse.kind(body), "why": str(error)}
        log.warning("not stored, so not acknowledged", extra=extra)
        return Response(status_code=503)
    if not words:
        return Response()
    return JSONResponse(reply(words))


def _read(content: bytes, content_type: str) -> tuple[Kind | None, object]:
    """What was sent; no kind for Slack's check of its certificate."""
    if not content_type.startswith("application/x-www-form-urlencoded"):
        return Kind.EVENT, _json(content)
    form = dict(parse_qsl(content.decode(errors="replace"), keep_blank_values=True))
    if form.get("ssl_check") == "1":
        return None, None
    if "payload" in form:
        return Kind.INTERACTION, _json(form["payload"])
    return Kind.COMMAND, form


def _json(text: str | bytes) -> object:
    try:
        found: object = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found
