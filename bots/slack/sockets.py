"""The way in by Socket Mode: two sockets, so that the refresh of one loses nothing."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field

from bots.background import Background
from bots.slack.app import SlackApp
from bots.slack.catch_up import CatchUp
from bots.slack.connection import Client, Connection, Receive
from bots.slack.web import OwnWebClient
from core.clock import monotonic
from core.messaging.intake import Intake

log = logging.getLogger(__name__)

_SOCKETS = 2
_LOOK_SECONDS = 1.0
_LAST_SECONDS = 3.0  # for what is in hand when the bot stops


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """How sockets are watched, in seconds.

    After a `gap` without any, something may have been missed.
    """

    ping_interval: float = 4.0
    gap: float = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SocketSettings:
    """How to reach Socket Mode."""

    app_token: str = field(repr=False)
    api_url: str
    watch: Watch


class SocketListener:
    """Hands everything that comes by the sockets to the app."""

    def __init__(
        self,
        line: SocketSettings,
        app: SlackApp,
        catch_up: CatchUp,
        background: Background,
    ) -> None:
        self._settings = line
        self._catch_up = catch_up
        self._background = background
        self.is_listening = False
        self._opened = asyncio.Event()
        self._connections = [
            Connection(self._client, app.dispatch, self._opened.set) for _ in range(_SOCKETS)
        ]

    async def run(self, intake: Intake, stop: asyncio.Event) -> None:
        """Until `stop`; then what is in hand is finished, and the sockets are closed.

        What comes until Slack has heard of that is stored: the next process finds it.
        """
        async with asyncio.TaskGroup() as group:
            looking = [
                group.create_task(self._catch_up.run()),
                group.create_task(self._watch()),
            ]
            taking = [
                group.create_task(self._background.run()),
                *(group.create_task(connection.run()) for connection in self._connections),
            ]
            await stop.wait()
            _cancel(looking)
            async with asyncio.TaskGroup() as leaving:
                for connection in self._connections:
                    leaving.create_task(connection.leave(_LAST_SECONDS))
            _cancel(taking)

    async def caught_up(self) -> None:
        """Return once what was missed before the start is in the inbox."""
        await self._catch_up.has_caught_up.wait()

    async def check(self) -> None:
        """Raise ConnectionError while nothing can come in."""
        if not self.is_listening:
            raise ConnectionError("no socket to Slack is open")

    async def _watch(self) -> None:
        """Notice when nobody listened for so long that something may have been missed."""
        live_at = monotonic()
        interval = min(_LOOK_SECONDS, self._settings.watch.ping_interval)
        while True:
            self._opened.clear()
            is_live = any([await connection.is_live() for connection in self._connections])
            if is_live and not self.is_listening:
                log.info("listening to Slack")
            elif self.is_listening and not is_live:
                log.warning("no socket to Slack is open")
            if is_live and monotonic() - live_at > self._settings.watch.gap:
                self._catch_up.missed()
            if is_live:
                live_at = monotonic()
            self.is_listening = is_live
            self._catch_up.listen(is_listening=is_live)
            with suppress(TimeoutError):
                async with asyncio.timeout(interval):
                    await self._opened.wait()

    def _client(self, receive: Receive) -> Client:
        sdk = logging.getLogger(f"{__name__}.sdk")
        sdk.setLevel(logging.WARNING)
        web = OwnWebClient(api_url=self._settings.api_url, timeout=10, logger=sdk)
        return Client(self._settings.app_token, web, self._settings.watch.ping_interval, receive)


def _cancel(tasks: Iterable[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
