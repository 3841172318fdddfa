"""Puts Slack together for `moorings run`: the way out, the ways in, and what both need."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from pydantic import SecretStr

from bots.background import Background
from bots.commands import ChatCommands
from bots.listening import WaysIn
from bots.slack import tokens
from bots.slack.adapter import SlackAdapter
from bots.slack.agent_view import AgentView
from bots.slack.catch_up import CatchUp, Sources
from bots.slack.client import SLACK, SlackClient
from bots.slack.commands import SlackCommands
from bots.slack.dispatch import Dispatcher, Handlers
from bots.slack.home import Homes
from bots.slack.listener import SocketListener, SocketSettings, Watch
from bots.slack.manifest import SCOPES
from bots.slack.markup import MARKUP
from bots.slack.members import Members
from bots.slack.messages import Persona
from bots.slack.people import People
from bots.slack.reader import Bot, Reader
from bots.slack.refusals import Refusals, Whispers
from bots.slack.words import Words
from bots.slack.workspaces import Workspaces, uninstall
from bots.wording import Wording
from core.clock import Clock
from core.commands.agent import Commands
from core.commands.controls import Controls
from core.config.settings import Settings
from core.errors import ConfigMistake, Transient
from core.late import late
from core.messaging.cursors import Cursors
from core.messaging.installations import Installations
from core.messaging.intake import Reception
from core.messaging.storing import storing
from core.runtime import Runtime
from core.turn.worker import Worker

if TYPE_CHECKING:
    from starlette.routing import Route

    from bots.slack import http, install

log = logging.getLogger(__name__)

T = TypeVar("T")

_RETRY_SECONDS = 5.0
_WATCH = Watch()


class SlackPlatform:
    """Made once in a process; whoever opened it closes it."""

    def __init__(self, runtime: Runtime, own: tuple[Bot, str] | None) -> None:
        """`own` is the bot of the environment's token, with the token."""
        settings = runtime.settings
        self._runtime = runtime
        self._settings = settings
        self._own = own[0] if own else None
        self._known: dict[str, str] = {}
        self._installations = Installations("slack", runtime.clock, settings.secret_key)
        self._workspaces = Workspaces(self._installations, {own[0].team: own[1]} if own else None)
        self._client = SlackClient(
            self._workspaces.token_of, base_url=settings.slack_api_url or SLACK
        )
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

    def ways_in(self, worker: Worker, watch: Watch = _WATCH) -> WaysIn:
        """Every way in, with one dispatcher behind them."""
        runtime, reader = self._runtime, Reader(self._client)
        clock, file = runtime.clock, runtime.agents_file
        people = People(reader)
        runtime.gate.join("slack", Members(reader, lambda: frozenset(self._known)))
        commands = Commands(runtime.directory, file, clock)
        controls = Controls(worker, runtime.intake, runtime.directory, clock)
        whispers = Whispers(self._client, background := Background())
        refusals = Refusals(whispers, runtime.gate, background)
        reception = Reception(runtime.intake, runtime.directory, file)
        chat = ChatCommands(commands, controls, reception, Wording(MARKUP))
        spoken = SlackCommands(chat, people, file, clock)
        words = Words(spoken, lambda: runtime.directory.names, whispers, clock)
        sources = Sources(
            teams=self._teams,
            reader=reader,
            people=people,
            reception=reception,
            cursors=Cursors(clock),
            refusals=refusals,
            words=words,
        )
        hours = self._settings.catch_up_hours
        catch_up = CatchUp(sources, clock, hours=hours, backlog=worker.backlog)
        handlers = Handlers(
            people=people,
            commands=spoken,
            words=words,
            controls=controls,
            refusals=refusals,
            homes=Homes(self._client, people, commands, runtime.gate, background),
            agent_view=AgentView(self._client, commands, reception, file, background),
            uninstalled=self._uninstalled,
            missed=catch_up.missed,
            whisper=lambda url, text: self._whisper(background, url, text),
        )
        return self._wired(Dispatcher(reception, handlers), catch_up, background, watch)

    def _whisper(self, background: Background, url: str, words: str) -> None:
        background.add("whisper", lambda: self._client.tell(url, words))

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    def _wired(
        self, dispatcher: Dispatcher, catch_up: CatchUp, background: Background, watch: Watch
    ) -> WaysIn:
        app_token = _value(self._settings.slack_app_token)
        if app_token is None:
            listener: type[http.HttpListener] = late("bots.slack.http", "HttpListener")
            return WaysIn(listener=listener(catch_up, background), routes=self._routes(dispatcher))
        settings = SocketSettings(
            app_token=app_token,
            api_url=self._settings.slack_api_url or SLACK,
            watch=watch,
        )
        sockets = SocketListener(settings, dispatcher, catch_up, background)
        return WaysIn(listener=sockets, routes=self._routes(dispatcher), check=sockets.check)

    def _routes(self, dispatcher: Dispatcher) -> list[Route]:
        """Slack's SDK for installations takes 60 ms and 6 MB: a bot with a token needs none."""
        settings = self._settings
        found: list[Route] = []
        if secret := _value(settings.slack_signing_secret):
            heard: Callable[[Dispatcher, str], list[Route]] = late("bots.slack.http", "routes")
            found += heard(dispatcher, secret)
        client_secret = _value(settings.slack_client_secret)
        if settings.slack_client_id and client_secret:
            app_type: type[install.App] = late("bots.slack.install", "App")
            routes: Callable[[install.App, Workspaces, Installations, Clock], list[Route]] = late(
                "bots.slack.install", "routes"
            )
            app = app_type(
                client_id=settings.slack_client_id,
                client_secret=client_secret,
                scopes=SCOPES,
                api_url=settings.slack_api_url or SLACK,
            )
            found += routes(app, self._workspaces, self._installations, self._runtime.clock)
        return found

    async def _teams(self) -> list[Bot]:
        """The workspaces of the environment's token and of all installations."""
        grants = await self._workspaces.everyone()
        installed = {grant.team: Bot(team=grant.team, user=grant.bot_user) for grant in grants}
        own = {self._own.team: self._own} if self._own else {}
        named = {grant.team: grant.team_name for grant in grants}
        self._known = {team: named.get(team, "") for team in installed | own}
        self._runtime.gate.report(self._known)
        return list((installed | own).values())

    async def look(self) -> None:
        """Find out which workspaces there are."""
        with storing():
            await self._teams()

    async def _uninstalled(self, team: str) -> None:
        await uninstall(team, self._workspaces, self._client)

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
