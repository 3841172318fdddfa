"""Puts Slack together for `moorings run`: the way out, the ways in, and what both need."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from pydantic import SecretStr

from bots.listening import WaysIn
from bots.slack import tokens
from bots.slack.adapter import SlackAdapter
from bots.slack.client import SLACK, SlackClient
from bots.slack.members import Members
from bots.slack.messages import Persona
from bots.slack.own import Own
from bots.slack.reader import Bot, Reader
from bots.slack.workspaces import Workspaces
from core.config.settings import Settings
from core.errors import ConfigMistake, Transient
from core.lazy import lazy
from core.messaging.cursors import Cursors
from core.messaging.installations import Installations
from core.messaging.storing import storing
from core.runtime import Runtime
from core.turn.worker import Worker

if TYPE_CHECKING:
    from bots.slack import ways_in
    from bots.slack.sockets import Watch

log = logging.getLogger(__name__)

T = TypeVar("T")

_RETRY_SECONDS = 5.0
_HOME = "home/slack"  # the cursor that keeps `Own.home`


class SlackPlatform:
    """Made once in a process; whoever opened it closes it."""

    def __init__(self, runtime: Runtime, own: tuple[Bot, str] | None) -> None:
        """`own` is the bot of the environment's token, with the token."""
        settings = runtime.settings
        self._runtime = runtime
        self._settings = settings
        self._bot = own[0] if own else None
        self._own = Own()
        self._known: dict[str, str] = {}
        self._cursors = Cursors(runtime.clock)
        self._installations = Installations("slack", runtime.clock, settings.secret_key)
        self._workspaces = Workspaces(self._installations, {own[0].team: own[1]} if own else None)
        self._client = SlackClient(
            self._workspaces.token_of, base_url=settings.slack_api_url or SLACK
        )
        members = Members(Reader(self._client), lambda: frozenset(self._known))
        runtime.gate.join("slack", members)  # who only answers looks at it, too
        self.adapter = SlackAdapter(self._client, self._persona_of)

    @classmethod
    async def open(cls, runtime: Runtime) -> SlackPlatform:
        """Try the tokens, and wait for Slack where it cannot be reached.

        Raises:
            ConfigMistake: something about the tokens has to change; says what.
        """
        settings, own = runtime.settings, None
        url = settings.slack_api_url or SLACK
        _check_ways_in(settings)
        if token := _value(settings.slack_bot_token):
            own = await _reached(lambda: tokens.identify(token, url)), token
        if app_token := _value(settings.slack_app_token):
            await _reached(lambda: tokens.check_sockets(app_token, url))
        platform = cls(runtime, own)
        if count := await platform._installations.seal_all():
            log.info("tokens of workspaces encrypted", extra={"workspaces": count})
        await _reached(platform.look)  # before anybody is heard whom it does not serve
        return platform

    def ways_in(self, worker: Worker, watch: Watch | None = None) -> WaysIn:
        """Every way in. Only who listens needs slack-bolt, which takes 0.05 s and 5 MB."""
        made: type[ways_in.OpenedSlack] = lazy("bots.slack.ways_in", "OpenedSlack")
        opened = made(
            runtime=self._runtime,
            client=self._client,
            workspaces=self._workspaces,
            installations=self._installations,
            teams=self._teams,
            own=lambda: self._own,
        )
        found: Callable[[ways_in.OpenedSlack, Worker, Watch | None], WaysIn] = lazy(
            "bots.slack.ways_in", "ways_in"
        )
        return found(opened, worker, watch)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def _teams(self) -> list[Bot]:
        """The workspaces of the environment's token and of all installations."""
        grants = await self._workspaces.everyone()
        installed = {
            grant.team: Bot(team=grant.team, user=grant.bot_user, bot=grant.bot_id)
            for grant in grants
        }
        own = {self._bot.team: self._bot} if self._bot else {}
        named = {grant.team: grant.team_name for grant in grants}
        bots = installed | own
        self._known = {team: named.get(team, "") for team in bots}
        ids = frozenset(bot.bot for bot in bots.values())
        self._own = Own(home=await self._home(), bots=ids if all(ids) else frozenset())
        self._runtime.gate.report(self._known)
        return list(bots.values())

    async def _home(self) -> str:
        """One workspace for good: by another one, what was heard would be heard a second time."""
        if self._own.home or not self._known:
            return self._own.home
        return await self._cursors.settled(_HOME, min(self._known))

    async def look(self) -> None:
        """Find out which workspaces there are."""
        with storing():
            await self._teams()

    def _persona_of(self, agent: str) -> Persona:
        spec = self._runtime.agents_file.agents.get(agent)
        if spec is None:
            return Persona(name=agent)
        return Persona(name=spec.display_name or agent, icon=spec.icon)


def _check_ways_in(settings: Settings) -> None:
    if settings.slack_app_token and not settings.slack_bot_token:
        raise ConfigMistake(
            "SLACK_APP_TOKEN is set without SLACK_BOT_TOKEN: set it to the bot token (xoxb-…)."
        )
    if settings.slack_app_token:
        return
    if not settings.slack_signing_secret:
        raise ConfigMistake(
            "Nothing can come in from Slack: set SLACK_APP_TOKEN for Socket Mode, or "
            "SLACK_SIGNING_SECRET and PORT for HTTP."
        )
    if settings.port is None:
        raise ConfigMistake(
            "SLACK_SIGNING_SECRET needs PORT: Slack sends its events to /slack/events there."
        )


async def _reached(call: Callable[[], Awaitable[T]]) -> T:
    """Slack's answer, once it gives one: a bot that starts while Slack is down starts later."""
    while True:
        try:
            return await call()
        except Transient as error:
            log.warning("waiting for Slack", extra={"why": str(error)})
            await asyncio.sleep(_RETRY_SECONDS)


def _value(secret: SecretStr | None) -> str | None:
    return secret.get_secret_value() if secret else None
