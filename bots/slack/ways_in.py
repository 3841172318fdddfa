"""Puts the ways in from Slack together: Bolt's app, what its listeners need, sockets, routes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from slack_bolt.oauth.async_oauth_flow import AsyncOAuthFlow

from bots.background import Background
from bots.commands import ChatCommands
from bots.listening import WaysIn
from bots.slack.agent_view import AgentView
from bots.slack.app import SlackApp, bolt
from bots.slack.catch_up import CatchUp, Sources
from bots.slack.client import SLACK, SlackClient
from bots.slack.commands import SlackCommands
from bots.slack.home import Homes
from bots.slack.listeners import Listeners, Parts
from bots.slack.manifest import SCOPES
from bots.slack.markup import MARKUP
from bots.slack.mention_commands import Words
from bots.slack.own import Own
from bots.slack.people import People
from bots.slack.reader import Bot, Reader
from bots.slack.refusals import Refusals, Whispers
from bots.slack.sockets import SocketListener, SocketSettings, Watch
from bots.slack.workspaces import Workspaces, uninstall
from bots.wording import Wording
from core.clock import Clock
from core.commands.agent import Commands
from core.commands.controls import Controls
from core.lazy import lazy
from core.messaging.cursors import Cursors
from core.messaging.installations import Installations
from core.messaging.intake import Reception
from core.runtime import Runtime
from core.turn.worker import Worker

if TYPE_CHECKING:
    from starlette.routing import Route

    from bots.slack import http, install


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedSlack:
    """What the platform has opened. `teams` are all workspaces."""

    runtime: Runtime
    client: SlackClient
    workspaces: Workspaces
    installations: Installations
    teams: Callable[[], Awaitable[list[Bot]]]
    own: Callable[[], Own]


def ways_in(slack: OpenedSlack, worker: Worker, watch: Watch | None = None) -> WaysIn:
    """Every way in, with one app behind them."""
    background = Background()
    parts = _parts(slack, worker, background)
    catch_up = _catch_up(slack, worker, parts)
    url, flow = slack.runtime.settings.slack_api_url or SLACK, _flow(slack)
    app = SlackApp(bolt(url, flow), Listeners(parts), came=catch_up.came, gave_up=catch_up.gave_up)
    routes = _routes(slack, app, flow)
    app_token = slack.runtime.settings.slack_app_token
    if app_token is None:
        listener: type[http.HttpListener] = lazy("bots.slack.http", "HttpListener")
        return WaysIn(listener=listener(catch_up, background), routes=routes)
    settings = SocketSettings(
        app_token=app_token.get_secret_value(), api_url=url, watch=watch or Watch()
    )
    sockets = SocketListener(settings, app, catch_up, background)
    return WaysIn(listener=sockets, routes=routes, check=sockets.check)


def _parts(slack: OpenedSlack, worker: Worker, background: Background) -> Parts:
    runtime, client = slack.runtime, slack.client
    clock, file, directory = runtime.clock, runtime.agents_file, runtime.directory
    people = People(Reader(client))
    commands = Commands(directory, file, clock)
    controls = Controls(worker, runtime.intake, directory, clock)
    whispers = Whispers(client, background)
    reception = Reception(runtime.intake, directory, file)
    chat = ChatCommands(commands, controls, reception, Wording(MARKUP))
    spoken = SlackCommands(chat, people, file, clock)
    return Parts(
        reception=reception,
        people=people,
        commands=spoken,
        words=Words(spoken, lambda: directory.names, whispers, clock),
        controls=controls,
        refusals=Refusals(whispers, runtime.gate, background),
        homes=Homes(client, people, commands, runtime.gate, background),
        agent_view=AgentView(client, commands, reception, file, background),
        own=slack.own,
        uninstalled=lambda team: uninstall(team, slack.workspaces, client),
        whisper=lambda url, words: background.add("whisper", lambda: client.tell(url, words)),
    )


def _catch_up(slack: OpenedSlack, worker: Worker, parts: Parts) -> CatchUp:
    clock = slack.runtime.clock
    sources = Sources(
        teams=slack.teams,
        own=slack.own,
        reader=Reader(slack.client),
        people=parts.people,
        reception=parts.reception,
        cursors=Cursors(clock),
        refusals=parts.refusals,
        words=parts.words,
    )
    hours = slack.runtime.settings.catch_up_hours
    return CatchUp(sources, clock, hours=hours, backlog=worker.backlog)


def _flow(slack: OpenedSlack) -> AsyncOAuthFlow | None:
    """What installs the app into other workspaces, if it is to be."""
    settings = slack.runtime.settings
    if not (settings.slack_client_id and settings.slack_client_secret):
        return None
    flow: Callable[[install.App, Workspaces, Installations, Clock], AsyncOAuthFlow] = lazy(
        "bots.slack.install", "flow"
    )
    app: type[install.App] = lazy("bots.slack.install", "App")
    given = app(
        client_id=settings.slack_client_id,
        client_secret=settings.slack_client_secret.get_secret_value(),
        scopes=SCOPES,
        api_url=settings.slack_api_url or SLACK,
    )
    return flow(given, slack.workspaces, slack.installations, slack.runtime.clock)


def _routes(slack: OpenedSlack, app: SlackApp, flow: AsyncOAuthFlow | None) -> list[Route]:
    """A bot without a port needs no web server: what serves its pages is imported where one is."""
    found: list[Route] = []
    if secret := slack.runtime.settings.slack_signing_secret:
        heard: Callable[[SlackApp, str], list[Route]] = lazy("bots.slack.http", "routes")
        found += heard(app, secret.get_secret_value())
    if flow:
        pages: Callable[[AsyncOAuthFlow], list[Route]] = lazy("bots.slack.install", "routes")
        found += pages(flow)
    return found
