"""Puts the parts of Discord together for `moorings run`."""

from __future__ import annotations

import asyncio
import logging

from bots.background import Background
from bots.discord import client
from bots.discord.adapter import DiscordAdapter
from bots.discord.catch_up import CatchUp
from bots.discord.channels import ChannelLookup
from bots.discord.client import Handlers
from bots.discord.dispatch import Dispatcher, Refusals
from bots.discord.identify_limit import IdentifyLimit
from bots.discord.ingest import Ingest
from bots.discord.interactions import Interactions
from bots.discord.listener import ConnectionSettings, GatewayListener
from bots.discord.members import Members
from bots.discord.rest import Rest, log_in
from bots.discord.sent_messages import SentMessages
from bots.listening import WaysIn
from core.errors import Transient
from core.messaging.cursors import Cursors
from core.messaging.intake import Reception
from core.runtime import Runtime
from core.turn.worker import Worker

log = logging.getLogger(__name__)

_RETRY_SECONDS = 2.0
_DEFAULT_SETTINGS = ConnectionSettings()


class DiscordPlatform:
    """One for each process. Whoever opens it closes it."""

    def __init__(self, runtime: Runtime, rest: Rest, token: str) -> None:
        self._runtime = runtime
        self._rest = rest
        self._token = token
        self._sent = SentMessages(rest)
        self._members = Members(rest, runtime.gate)
        runtime.gate.join("discord", self._members)
        self.adapter = DiscordAdapter(rest, self._display_name, self._sent)

    @classmethod
    async def open(cls, runtime: Runtime) -> DiscordPlatform:
        """Log in, waiting for Discord while it cannot be reached.

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
        """The listener, with commands and buttons."""
        listener = self.listener(worker, Interactions(self._runtime, worker))
        return WaysIn(listener=listener, check=listener.check)

    def listener(
        self,
        worker: Worker,
        interactions: client.Interactions,
        settings: ConnectionSettings = _DEFAULT_SETTINGS,
    ) -> GatewayListener:
        """A listener. What it receives and what it catches up on goes to one dispatcher."""
        runtime, me = self._runtime, self._rest.user
        reception = Reception(runtime.intake, runtime.directory, runtime.agents_file)
        background, hours = Background(), runtime.settings.catch_up_hours
        dispatcher = Dispatcher(reception, Refusals(self._rest, runtime.gate, background))
        catch_up = CatchUp(
            dispatcher,
            Cursors(runtime.clock),
            runtime.clock,
            hours=hours,
            me=me,
            backlog=worker.backlog,
        )
        handlers = Handlers(
            ingest=Ingest(
                dispatcher,
                ChannelLookup(self._rest),
                me,
                size=settings.queue_size,
                on_missed=catch_up.check_location,
            ),
            catch_up=catch_up,
            interactions=interactions,
            identify_limit=IdentifyLimit(self._rest),
            sent=self._sent,
            members=self._members,
        )
        return GatewayListener(self._token, handlers, background, settings)

    async def close(self) -> None:
        """Close the connections."""
        await self._rest.close()

    def _display_name(self, agent: str) -> str | None:
        """The name above an agent's answers; None for the default agent, which is the bot itself.

        A `display_name` in the agents file is always shown.
        """
        file = self._runtime.agents_file
        spec = file.agents.get(agent)
        if spec and spec.display_name:
            return spec.display_name
        return None if agent == file.default_agent else agent
