"""The HTTP port: whether the process lives, is ready, what it counted; and platforms' routes."""

from __future__ import annotations

import asyncio
import logging
import math
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from bots.capacity import Capacity
from bots.listening import Port
from bots.web_server import ALWAYS, GOODBYE_SECONDS, WebServer
from core import clock, metrics
from core.errors import ConfigMistake
from core.messaging.intake import Intake
from core.messaging.storing import NotStored
from core.upkeep import nightly
from storage import inbox
from storage.errors import StorageError

log = logging.getLogger(__name__)

_MOST_LOOKS = 16  # at once: each asks the database
_LOOK_SECONDS = 2.0  # that one check of readiness may take

# Returns when all is well; raises StorageError or ConnectionError when it is not.
Check = Callable[[], Awaitable[None]]


class HttpPort(Port):
    """One port for what is asked by HTTP. It stays open until the bot has drained."""

    def __init__(
        self,
        port: int,
        checks: Mapping[str, Check] | None,
        routes: Sequence[BaseRoute] = (),
        *,
        variable: str = "PORT",
    ) -> None:
        """`checks` are what readiness consists of; without any, metrics are elsewhere, too.

        Port 0 takes any that is free; `variable` is where the port was read from.

        Raises:
            ConfigMistake: the port cannot be had.
        """
        self._checks = checks or {}
        self._is_draining = False
        self._asking = Capacity(_MOST_LOOKS)
        self._socket = _bound(port, variable)
        own = [Route(ALWAYS, self._alive)]
        if checks is not None:
            own += [Route("/readyz", self._ready), Route("/metrics", self._counted)]
        self._server = WebServer(
            Starlette(
                routes=[*own, *routes], exception_handlers={StorageError: _busy, NotStored: _busy}
            )
        )

    @property
    def port(self) -> int:
        """The port that it has."""
        return int(self._socket.getsockname()[1])

    async def run(self, intake: Intake, stop: asyncio.Event) -> None:
        """Serve until cancelled. After `stop` it is not ready any more, but still takes what comes.

        What arrives while the last turns end is stored, and answered by the next process.
        """
        async with asyncio.TaskGroup() as group:
            serving = group.create_task(self._server.serve(sockets=[self._socket]))
            log.info("listening", extra={"port": self.port})
            try:
                await stop.wait()
                self._is_draining = True
                await asyncio.wait({serving})
            finally:
                self._server.should_exit = True
                await asyncio.wait({serving}, timeout=GOODBYE_SECONDS + 1)

    async def _alive(self, _: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def _ready(self, _: Request) -> Response:
        with self._asking.used():
            found = {name: await _looked(name, check) for name, check in self._checks.items()}
        if self._is_draining:
            found["process"] = "draining"
        is_ready = all(state == "ok" for state in found.values())
        return JSONResponse(found, status_code=200 if is_ready else 503)

    async def _counted(self, _: Request) -> Response:
        try:
            with self._asking.used():
                async with asyncio.timeout(_LOOK_SECONDS):
                    metrics.INBOX_WAITING.set(await inbox.count_waiting())
                    age = await nightly.age(clock.now())
                    metrics.BACKUP_AGE.set(math.nan if age is None else age.total_seconds())
        except (StorageError, TimeoutError):
            metrics.INBOX_WAITING.set(math.nan)
            metrics.BACKUP_AGE.set(math.nan)
        return Response(generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})


async def _looked(name: str, check: Check) -> str:
    """What is wrong stands in the log: whoever asks may be anybody."""
    try:
        async with asyncio.timeout(_LOOK_SECONDS):
            await check()
    except TimeoutError:
        return "no answer"
    except (StorageError, ConnectionError) as error:
        log.warning("not ready", extra={"check": name, "why": str(error)})
        return "failed"
    return "ok"


async def _busy(_: Request, error: Exception) -> Response:
    log.warning("request refused", extra={"why": str(error)})
    return PlainTextResponse(
        "This cannot be answered right now. Please try again in a minute.\n", status_code=503
    )


def _bound(port: int, variable: str) -> socket.socket:
    """On every address of the machine, IPv6 too where there is any."""
    with suppress(OSError):
        if socket.has_dualstack_ipv6():
            return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)
    try:
        return socket.create_server(("", port))
    except OSError as error:
        raise ConfigMistake(
            f"{variable} {port} cannot be opened ({error.strerror}): choose another one, or stop "
            "the program that has it."
        ) from error
