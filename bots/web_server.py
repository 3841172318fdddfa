"""Uvicorn with limits, so that slow or very many connections do not keep others waiting."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import socket
from collections.abc import Iterator
from typing import cast

import uvicorn
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from core.clock import monotonic

ALWAYS = "/healthz"  # is answered however much is asked besides

_HEAD_SECONDS = 5.0  # that a connection may be open without asking for anything
_REQUEST_SECONDS = 40.0  # until the answer has been read: longer than a database may be silent
GOODBYE_SECONDS = 3  # that requests have to end once nobody listens any more
_MOST = 1_000  # connections, where the system allows as many open files
_AT_ONCE = 8  # that are taken from the system before any of them is looked at
_QUEUE = 1_024  # that wait in the system to be taken
_HELD = 0.75  # of the connections may be held by requests: the rest can still ask for ALWAYS


class WebServer(uvicorn.Server):
    """One for each port."""

    def __init__(self, app: ASGIApp) -> None:
        super().__init__(
            uvicorn.Config(
                _Bounded(app, int(most_connections() * _HELD)),
                http=Connection,
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,  # query strings carry codes
                server_header=False,
                backlog=_AT_ONCE,
                timeout_graceful_shutdown=GOODBYE_SECONDS,
            )
        )

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, with a longer queue than what is taken out of it at once."""
        await super().startup(sockets)
        for each in sockets or []:
            each.listen(_QUEUE)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none: they begin the bot's drain, not the port's end."""
        yield


class Connection(H11Protocol):
    """Ended when it asks for nothing in time, or when it is in the way of newer ones."""

    _waits_since = 0.0
    _watch: asyncio.TimerHandle | None = None

    @property
    def is_waiting(self) -> bool:
        """Whether nothing is asked by it now: no request has come as a whole, as yet or again."""
        cycle = cast("RequestResponseCycle | None", self.cycle)
        return cycle is None or cycle.response_complete

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self._wait()
        self._make_room()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._watch:
            self._watch.cancel()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        self._wait()
        super().on_response_complete()

    def _wait(self) -> None:
        self._waits_since = monotonic()
        if self._watch:
            self._watch.cancel()
        self._watch = self.loop.call_later(_HEAD_SECONDS, self._look)

    def _look(self) -> None:
        if self.is_waiting:
            self.transport.abort()
        else:
            self._watch = self.loop.call_later(_REQUEST_SECONDS, self.transport.abort)

    def _make_room(self) -> None:
        """Where there are too many, end the one that has asked for nothing for longest."""
        others = [each for each in self.connections if isinstance(each, Connection)]
        opened = [each for each in others if not each.transport.is_closing()]
        if len(opened) > most_connections():
            waiting = [each for each in opened if each.is_waiting]  # this one does, too
            min(waiting, key=lambda each: each._waits_since).transport.abort()


class _Bounded:
    """An app that answers so many requests at once."""

    def __init__(self, app: ASGIApp, most: int) -> None:
        self._app = app
        self._most = most
        self._running = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_refused = self._running >= self._most and scope.get("path") != ALWAYS
        self._running += 1
        try:
            await (_BUSY if is_refused else self._app)(scope, receive, send)
        finally:
            self._running -= 1


_BUSY = PlainTextResponse("Too much is asked at once. Please try again.\n", status_code=503)


def most_connections() -> int:
    """How many one port holds: half of the files that the process may open, for it needs others."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _MOST if files == resource.RLIM_INFINITY else max(1, min(_MOST, files // 2))
