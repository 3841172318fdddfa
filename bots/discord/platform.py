"""Puts Discord together for `moorings run`: the way out, the way in, and what both need."""

from __future__ import annotations

import asyncio
import logging

from bots.discord import line
from bots.discord.adapter import DiscordAdapter
from bots.discord.catch_up import CatchUp
from bots.discord.door import Door
from bots.discord.echoes import Echoes
from bots.discord.inflow import Inflow
from bots.discord.interactions import Interactions
from bots.discord.line import Line, Watch
from bots.discord.listener import GatewayListener
from bots.discord.members import Members
from bots.discord.parents import Parents
from bots.discord.refusals import Refusals
from bots.discord.rest import Rest
from bots.discord.starts import Starts
from bots.discord.tokens import log_in
from bots.errands import Errands
from bots.listening import WaysIn
from core.errors import Transient
from core.messaging.cursors import Cursors
from core.messaging.intake import Reception
from core.runtime import Runtime
from core.turn.worker import Worker

log = logging.getLogger(__name__)

_RETRY_SECONDS = 2.0
_WATCH = Watch()


class DiscordPlatform:
    """Made once in a process; whoever opened it closes it."""

    def __init__(self, runtime: Runtime, rest: Rest, token: str) -> None:
        self._runtime = runtime
        self._rest = rest
        self._token = token
        self._echoes = Echoes()
        self._members = Members(rest, runtime.gate)
        runtime.gate.join("discord", self._members)
        self.adapter = DiscordAdapter(rest, self._name_of, self._echoes)

    @classmethod
    async def open(cls, runtime: Runtime) -> DiscordPlatform:
        """Try the token, and wait for Discord where it cannot be reached.

        Raises:
            ConfigMistake: Discord does not accept the token.
        """
        settings = runtime.settings
        token = settings.discord_token.get_secret_value() if settings.discord_token else ""
        while True:
            try:
                rest = await log_in(token, settings.discord_api_url)
            except Transient as error:
                log.warning("waiting for Discord", extra={"why": str(error)})
                await asyncio.sleep(error.retry_after or _RETRY_SECONDS)
            else:
                return cls(runtime, rest, token)

    def ways_in(self, worker: Worker) -> WaysIn:
        """The way in, with commands and buttons."""
        listener = self.listener(worker, Interactions(self._runtime, worker))
        return WaysIn(listener=listener, check=listener.check)

    def listener(
        self, worker: Worker, interactions: line.Interactions, watch: Watch = _WATCH
    ) -> GatewayListener:
        """The way in, with one door behind it."""
        runtime, me = self._runtime, self._rest.user
        reception = Reception(runtime.intake, runtime.directory, runtime.agents_file)
        errands, hours = Errands(), runtime.settings.catch_up_hours
        door = Door(reception, Refusals(self._rest, runtime.gate, errands))
        catch_up = CatchUp(
            door, Cursors(runtime.clock), runtime.clock, hours=hours, me=me, backlog=worker.backlog
        )
        how = Line(
            token=self._token,
            starts=Starts(self._rest),
            inflow=Inflow(
                door,
                Parents(self._rest),
                me,
                most=watch.most_waiting,
                missed=catch_up.missed,
            ),
            catch_up=catch_up,
            interactions=interactions,
            echoes=self._echoes,
            members=self._members,
            errands=errands,
            watch=watch,
        )
        return GatewayListener(how)

    async def close(self) -> None:
        """Close the connections."""
        await self._rest.close()

    def _name_of(self, agent: str) -> str | None:
        """The name above an answer; the default agent is the bot itself, unless it has one."""
        file = self._runtime.agents_file
        spec = file.agents.get(agent)
        if spec and spec.display_name:
            return spec.display_name
        return None if agent == file.default_agent else agent
