"""Keeps a gateway client connected: watches it, and replaces one that is dead."""

from __future__ import annotations

import asyncio
import logging
import zlib
from dataclasses import dataclass
from enum import Enum, auto

import discord

from bots.background import Background
from bots.discord.client import Client, Handlers
from bots.discord.failures import FAILURES, MALFORMED, translated
from bots.discord.internals import connect_to
from core.clock import monotonic
from core.errors import ConfigMistake, Transient
from core.messaging.intake import Intake

log = logging.getLogger(__name__)

_DRAIN_SECONDS = 1.5  # for queued events when the bot stops; closing may take as long
_LONGEST_PAUSE = 300.0
_LONGEST_BACKLOG = 60.0  # seconds to wait for queued events before connecting again
_BAD_TOKEN = 4004  # the gateway's close code Authentication failed
_STABLE_SECONDS = 60.0  # a client that ran so long resets the pause


class _End(Enum):
    """Why a client ended."""

    BROKEN = auto()
    BAD_TOKEN = auto()
    NO_CONTENT_INTENT = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionSettings:
    """How the connection is watched. All but the last are seconds.

    The client is looked at every `poll`. It is replaced after `dead_after` without a live
    connection, and after `silent_after` without anything received (Discord answers a heartbeat
    every 41). `pause` comes before the next client, doubled after each short-lived one. Cursors
    move every `cursor_interval`. `queue_size` events may wait to be stored.
    """

    poll: float = 1.0
    dead_after: float = 60.0
    silent_after: float = 120.0
    pause: float = 2.0
    cursor_interval: float = 15.0
    queue_size: int = 1_000


class GatewayListener:
    """The listener of Discord. It never gives up: a bad token is logged and tried again slowly."""

    def __init__(
        self,
        token: str,
        handlers: Handlers,
        background: Background,
        settings: ConnectionSettings,
    ) -> None:
        self._token = token
        self._handlers = handlers
        self._background = background
        self._settings = settings
        self._reads_content = True
        self.is_listening = False

    async def run(self, intake: Intake, stop: asyncio.Event) -> None:
        """Listen until `stop`, then disconnect and store the events that were received."""
        handlers = self._handlers
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(handlers.ingest.run()),
                group.create_task(self._background.run()),
                group.create_task(handlers.catch_up.run(self._settings.cursor_interval)),
            ]
            connecting = group.create_task(self._stay_connected())
            await stop.wait()
            connecting.cancel()
            await asyncio.wait({connecting})
            await self._finish()
            for task in tasks:
                task.cancel()

    async def caught_up(self) -> None:
        """Return once the messages missed before the start are in the inbox."""
        await self._handlers.catch_up.has_caught_up.wait()

    async def check(self) -> None:
        """Raise ConnectionError while nothing can come in."""
        if not self.is_listening:
            raise ConnectionError("the gateway of Discord is not connected")

    async def _finish(self) -> None:
        try:
            async with asyncio.timeout(_DRAIN_SECONDS):
                await self._handlers.ingest.drained()
        except TimeoutError:
            log.warning("stopped before all events were stored; the next start catches up")

    async def _stay_connected(self) -> None:
        pause = self._settings.pause
        while True:
            began = monotonic()
            ending = await self._connect_once()
            if ending is _End.NO_CONTENT_INTENT:
                continue  # at once, without the intent
            if monotonic() - began > _STABLE_SECONDS:
                pause = self._settings.pause
            await asyncio.sleep(_LONGEST_PAUSE if ending is _End.BAD_TOKEN else pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    async def _connect_once(self) -> _End:
        """Run one client until it ends."""
        await self._drain()
        try:
            connect_to(await self._handlers.identify_limit.wait())
        except Transient as later:
            log.warning("waiting for Discord", extra={"why": str(later)})
            return _End.BROKEN
        except ConfigMistake as mistake:
            log.error(str(mistake))  # noqa: TRY400  # says everything
            return _End.BAD_TOKEN
        return await self._run(Client(self._handlers, reads_content=self._reads_content))

    async def _drain(self) -> None:
        """Wait a minute at most until the received events are stored: the database may be away."""
        try:
            async with asyncio.timeout(_LONGEST_BACKLOG):
                await self._handlers.ingest.drained()
        except TimeoutError:
            log.warning("connecting though not all events are stored")

    async def _run(self, client: Client) -> _End:
        async with asyncio.TaskGroup() as group:
            connecting = group.create_task(self._connected(client))
            watching = group.create_task(self._watch(client))
            following = group.create_task(self._handlers.catch_up.follow(client))
            try:
                await asyncio.wait({connecting, watching}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in (connecting, watching, following):
                    task.cancel()
                await client.shut_down()
                self.is_listening = False
        return _End.BROKEN if connecting.cancelled() else connecting.result()

    async def _connected(self, client: Client) -> _End:
        """Run the client; returns why it ended."""
        try:
            await client.start(self._token)
        except discord.PrivilegedIntentsRequired:
            return self._without_content()
        except discord.ConnectionClosed as closed:
            return self._ended(closed, is_refused=closed.code == _BAD_TOKEN)
        except FAILURES as error:
            is_refused = isinstance(translated(error, "the login"), ConfigMistake)
            return self._ended(error, is_refused=is_refused)
        except (
            RuntimeError,
            zlib.error,
            *MALFORMED,
        ) as error:  # discord.py could not parse an event
            return self._ended(error, is_refused=False)
        return _End.BROKEN

    async def _watch(self, client: Client) -> None:
        """Return when the client has to be replaced: discord.py misses some lost connections.

        A shard that connects counts as life: Discord allows one every five seconds, so that
        many take minutes.
        """
        settings, traffic, shards = self._settings, client.traffic, 0
        live_at = moved_at = monotonic()
        while (
            monotonic() - live_at < settings.dead_after
            and monotonic() - moved_at < settings.silent_after
        ):
            await asyncio.sleep(settings.poll)
            if client.is_live or client.is_waiting or len(client.shards) > shards:
                live_at, shards = monotonic(), len(client.shards)
            if client.traffic != traffic or client.is_waiting:
                traffic, moved_at = client.traffic, monotonic()
            self._report(is_live=client.is_live)
        log.warning("the connection to Discord is dead, reconnecting")

    def _report(self, *, is_live: bool) -> None:
        if is_live and not self.is_listening:
            log.info("listening to Discord")
        elif self.is_listening and not is_live:
            log.warning("not listening to Discord")
        self.is_listening = is_live

    def _without_content(self) -> _End:
        self._reads_content = False
        log.error(
            "Discord does not let the bot read messages that do not mention it: turn on Message "
            "Content Intent under Bot in the developer portal and restart the bot. Until then it "
            "answers mentions, direct messages and commands only."
        )
        return _End.NO_CONTENT_INTENT

    def _ended(self, error: Exception, *, is_refused: bool) -> _End:
        if is_refused:
            log.error(str(translated(discord.LoginFailure(), "the token")))
            return _End.BAD_TOKEN
        log.warning("connection to Discord ended", extra={"why": f"{type(error).__name__}"})
        return _End.BROKEN
