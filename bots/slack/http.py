"""The way in by HTTP: what Slack has signed goes to the same app, and nothing else does."""

from __future__ import annotations

import asyncio

from slack_bolt.adapter.starlette.async_handler import to_async_bolt_request, to_starlette_response
from slack_sdk.signature import Clock, SignatureVerifier
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from bots.background import Background
from bots.slack.app import SlackApp
from bots.slack.catch_up import CatchUp
from core.messaging.intake import Intake

PATHS = ("/slack/events", "/slack/commands", "/slack/interactivity")
_MOST_BYTES = 2**22
_CONTENT_SECONDS = 3.0  # as long as Slack waits for the whole answer


def routes(app: SlackApp, signing_secret: str, clock: Clock | None = None) -> list[Route]:
    """One endpoint at each path: which of them a kind of request comes to does not matter.

    Bolt's own adapter reads a body, however long, before it looks at the signature.
    """
    verifier = SignatureVerifier(signing_secret, clock or Clock())

    async def receive(request: Request) -> Response:
        content = await _content(request)
        if content is None or not _is_signed(verifier, content, request):
            return PlainTextResponse("not signed by Slack\n", status_code=401)
        response = await app.dispatch(lambda: to_async_bolt_request(request, content))
        return to_starlette_response(response)

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
