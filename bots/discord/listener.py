"""The way in by the gateway: one client after the other, watched from here."""

from __future__ import annotations

import asyncio
import logging
import zlib
from enum import Enum, auto

import discord

from bots.discord import parse
from bots.discord.client import Client
from bots.discord.failures import FAILURES, translated
from bots.discord.internals import connect_to
from bots.discord.line import Line
from core.clock import monotonic
from core.errors import ConfigMistake, Transient
from core.messaging.intake import Intake

log = logging.getLogger(__name__)

_LAST_SECONDS = 1.5  # for what is in hand when the bot stops; closing takes as long
_LONGEST_PAUSE = 300.0
_LONGEST_BACKLOG = 60.0  # seconds that are given to what waits to be stored
_BAD_TOKEN = 4004  # the gateway's code for it
_WELL_AFTER = 60.0  # seconds: a client that lived so long was no failure


class _End(Enum):
    BROKEN = auto()
    REFUSED = auto()  # the token
    UNREADABLE = auto()  # the messages: the intent is off


class GatewayListener:
    """Never gives up: what a person has to mend is said once and tried again, slowly."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._reads_content = True
        self.is_listening = False

    async def run(self, intake: Intake, stop: asyncio.Event) -> None:
        """Until `stop`; then what is in hand is stored, and nothing new is taken."""
        line = self._line
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(line.inflow.run()),
                group.create_task(line.errands.run()),
                group.create_task(line.catch_up.run(line.watch.settle)),
            ]
            connecting = group.create_task(self._stay_connected())
            await stop.wait()
            connecting.cancel()
            await asyncio.wait({connecting})
            await self._finish()
            for task in tasks:
                task.cancel()

    async def caught_up(self) -> None:
        """Return once what was missed before the start is in the inbox."""
        await self._line.catch_up.has_caught_up.wait()

    async def check(self) -> None:
        """Raise ConnectionError while nothing can come in."""
        if not self.is_listening:
            raise ConnectionError("the gateway of Discord is not connected")

    async def _finish(self) -> None:
        try:
            async with asyncio.timeout(_LAST_SECONDS):
                await self._line.inflow.drained()
        except TimeoutError:
            log.warning("stopped before everything was stored; the next start finds it")

    async def _stay_connected(self) -> None:
        pause = self._line.watch.pause
        while True:
            began = monotonic()
            ending = await self._attempt()
            if ending is _End.UNREADABLE:
                continue  # at once, asking for less
            if monotonic() - began > _WELL_AFTER:
                pause = self._line.watch.pause
            await asyncio.sleep(_LONGEST_PAUSE if ending is _End.REFUSED else pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    async def _attempt(self) -> _End:
        """One client, from its start to its end."""
        await self._stored()
        try:
            connect_to(await self._line.starts.turn())
        except Transient as later:
            log.warning("waiting for Discord", extra={"why": str(later)})
            return _End.BROKEN
        except ConfigMistake as mistake:
            log.error(str(mistake))  # noqa: TRY400  # says everything
            return _End.REFUSED
        return await self._lived(Client(self._line, reads_content=self._reads_content))

    async def _stored(self) -> None:
        """More would not be stored either; but it may be one message only that is not."""
        try:
            async with asyncio.timeout(_LONGEST_BACKLOG):
                await self._line.inflow.drained()
        except TimeoutError:
            log.warning("connecting though not everything is stored")

    async def _lived(self, client: Client) -> _End:
        async with asyncio.TaskGroup() as group:
            connecting = group.create_task(self._connected(client))
            guarding = group.create_task(self._guard(client))
            following = group.create_task(self._line.catch_up.follow(client))
            try:
                await asyncio.wait({connecting, guarding}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in (connecting, guarding, following):
                    task.cancel()
                await client.end()
                self.is_listening = False
        return _End.BROKEN if connecting.cancelled() else connecting.result()

    async def _connected(self, client: Client) -> _End:
        """Until it has ended, whatever ended it."""
        try:
            await client.start(self._line.token)
        except discord.PrivilegedIntentsRequired:
            return self._read_less()
        except discord.ConnectionClosed as closed:
            return self._ended(closed, is_refused=closed.code == _BAD_TOKEN)
        except FAILURES as error:
            is_refused = isinstance(translated(error, "the login"), ConfigMistake)
            return self._ended(error, is_refused=is_refused)
        except (
            RuntimeError,
            zlib.error,
            *parse.MALFORMED,
        ) as error:  # an event was not as described
            return self._ended(error, is_refused=False)
        return _End.BROKEN

    async def _guard(self, client: Client) -> None:
        """Return when it has to be replaced: discord.py does not notice everything.

        Discord lets a shard begin every five seconds, so that many take minutes.
        """
        watch, pulse, shards = self._line.watch, client.pulse, 0
        live_at = moved_at = monotonic()
        while monotonic() - live_at < watch.patience and monotonic() - moved_at < watch.silence:
            await asyncio.sleep(watch.beat)
            if client.is_live or client.is_waiting or len(client.shards) > shards:
                live_at, shards = monotonic(), len(client.shards)
            if client.pulse != pulse or client.is_waiting:
                pulse, moved_at = client.pulse, monotonic()
            self._say(is_live=client.is_live)
        log.warning("the connection to Discord is dead, making another one")

    def _say(self, *, is_live: bool) -> None:
        if is_live and not self.is_listening:
            log.info("listening to Discord")
        elif self.is_listening and not is_live:
            log.warning("not listening to Discord")
        self.is_listening = is_live

    def _read_less(self) -> _End:
        self._reads_content = False
        log.error(
            "Discord does not let the bot read messages that do not mention it: turn on Message "
            "Content Intent under Bot in the developer portal and restart the bot. Until then it "
            "answers mentions, direct messages and commands only."
        )
        return _End.UNREADABLE

    def _ended(self, error: Exception, *, is_refused: bool) -> _End:
        if is_refused:
            log.error(str(translated(discord.LoginFailure(), "the token")))
            return _End.REFUSED
        log.warning("connection to Discord ended", extra={"why": f"{type(error).__name__}"})
        return _End.BROKEN
