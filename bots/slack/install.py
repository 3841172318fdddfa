"""Installing the app into workspaces by OAuth: the page, the way back, and the SDK's stores."""

from __future__ import annotations

import html
import logging
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from slack_bolt.adapter.starlette.async_handler import (
    to_async_bolt_request,
    to_starlette_response,
)
from slack_bolt.error import BoltError
from slack_bolt.oauth.async_callback_options import (
    AsyncCallbackOptions,
    AsyncFailureArgs,
    AsyncSuccessArgs,
)
from slack_bolt.oauth.async_oauth_flow import AsyncOAuthFlow
from slack_bolt.oauth.async_oauth_settings import AsyncOAuthSettings
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse
from slack_sdk.oauth.installation_store import Bot, Installation
from slack_sdk.oauth.installation_store.async_installation_store import AsyncInstallationStore
from slack_sdk.oauth.state_store.async_state_store import AsyncOAuthStateStore
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from bots.capacity import Capacity
from bots.slack.failures import FAILURES
from bots.slack.web import OwnWebClient
from bots.slack.workspaces import Grant, Workspaces
from core.clock import Clock
from core.messaging.installations import Installations
from core.messaging.sealing import Broken, Seal

log = logging.getLogger(__name__)

INSTALL_PATH = "/slack/install"
REDIRECT_PATH = "/slack/oauth_redirect"
_STATE_SECONDS = 600
_CALL_SECONDS = 10
_SORRY = {
    "access_denied": "You did not allow it, so nothing was installed.",
    "invalid_state": "This link was used already, or is older than ten minutes.",
    "invalid_browser": "The installation was begun in another browser, or cookies are blocked.",
    "missing_code": "Slack sent you back without a code.",
    "invalid_code": "Slack did not accept the code; it can be used once, for ten minutes.",
    "unreachable": "Slack did not answer.",
    "storage_error": "This app is installed into single workspaces, without token rotation.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """The Slack app as its Basic Information shows it; `api_url` as in SLACK_API_URL."""

    client_id: str
    client_secret: str
    scopes: tuple[str, ...]
    api_url: str


class WorkspaceStore(AsyncInstallationStore):
    """Slack's installation store over ours. One bot token for each workspace, no user tokens."""

    def __init__(self, workspaces: Workspaces) -> None:
        self._workspaces = workspaces

    @property
    def logger(self) -> logging.Logger:
        """Where the SDK would complain."""
        return log

    async def async_save(self, installation: Installation) -> None:
        """Raises BoltError for what cannot be kept: a whole organisation, a rotating token."""
        token, team = installation.bot_token, installation.team_id
        if not (token and team) or installation.is_enterprise_install:
            raise BoltError("not an installation of the bot into one workspace")
        if installation.bot_refresh_token:
            raise BoltError("token rotation is switched on")
        await self._workspaces.store(
            Grant(
                team=team,
                bot_token=token,
                bot_id=installation.bot_id or "",
                bot_user=installation.bot_user_id or "",
                scopes=tuple(installation.bot_scopes or ()),
                installed_by=installation.user_id or "",
                installed_at=datetime.fromtimestamp(installation.installed_at, UTC),
                enterprise=installation.enterprise_id or "",
                app_id=installation.app_id or "",
                team_name=installation.team_name or "",
            )
        )

    async def async_find_installation(
        self,
        *,
        enterprise_id: str | None,
        team_id: str | None,
        user_id: str | None = None,
        is_enterprise_install: bool | None = False,
    ) -> Installation | None:
        """The workspace's; whoever installed it."""
        grant = await self._workspaces.find(team_id or "")
        if grant is None or grant.enterprise != (enterprise_id or ""):
            return None
        return Installation(
            app_id=grant.app_id or None,
            enterprise_id=grant.enterprise or None,
            team_id=grant.team,
            team_name=grant.team_name or None,
            bot_token=grant.bot_token,
            bot_id=grant.bot_id,
            bot_user_id=grant.bot_user,
            bot_scopes=grant.scopes,
            user_id=grant.installed_by,
            token_type="bot",  # noqa: S106 - a kind, not a token
            installed_at=grant.installed_at,
        )

    async def async_find_bot(
        self,
        *,
        enterprise_id: str | None,
        team_id: str | None,
        is_enterprise_install: bool | None = False,
    ) -> Bot | None:
        """The bot's part of the installation."""
        found = await self.async_find_installation(enterprise_id=enterprise_id, team_id=team_id)
        return found.to_bot() if found else None

    async def async_delete_installation(
        self, *, enterprise_id: str | None, team_id: str | None, user_id: str | None = None
    ) -> None:
        """One person's part of it; there is none."""

    async def async_delete_bot(self, *, enterprise_id: str | None, team_id: str | None) -> None:
        """The whole installation."""
        await self._workspaces.remove(team_id or "")


class StateStore(AsyncOAuthStateStore):
    """Slack's state store. A state is signed and kept nowhere until Slack has led back with it.

    It is good once, whichever process the browser comes back to.
    """

    def __init__(self, installations: Installations, client_secret: str, clock: Clock) -> None:
        self._installations = installations
        self._seal = Seal([client_secret], "states of installations")
        self._clock = clock

    @property
    def logger(self) -> logging.Logger:
        """Where the SDK would complain."""
        return log

    async def async_issue(self, *args: object, **kwargs: object) -> str:
        """A new state."""
        return self._seal.seal(secrets.token_bytes(16), self._clock())

    async def async_consume(self, state: str) -> bool:
        """Whether the browser may go on."""
        try:
            self._seal.open(state, self._clock(), _STATE_SECONDS)
        except Broken:
            return False
        return await self._installations.use_state(state, _STATE_SECONDS)


def routes(flow: AsyncOAuthFlow) -> list[Route]:
    """The page where somebody begins, and the one to which Slack leads back."""
    capacity = Capacity()

    async def begin(request: Request) -> Response:
        with capacity.used():
            return await _handled(request, flow.handle_installation)

    async def finish(request: Request) -> Response:
        with capacity.used():
            return await _handled(request, flow.handle_callback)

    return [Route(INSTALL_PATH, begin), Route(REDIRECT_PATH, finish)]


def flow(
    app: App, workspaces: Workspaces, installations: Installations, clock: Clock
) -> AsyncOAuthFlow:
    """Everything is given, so that Bolt reads nothing of it from the environment."""
    settings = AsyncOAuthSettings(
        client_id=app.client_id,
        client_secret=app.client_secret,
        scopes=app.scopes,
        user_scopes=(),
        install_path=INSTALL_PATH,
        redirect_uri_path=REDIRECT_PATH,
        authorization_url=f"{app.api_url.removesuffix('api/')}oauth/v2/authorize",
        installation_store=WorkspaceStore(workspaces),
        state_store=StateStore(installations, app.client_secret, clock),
        state_expiration_seconds=_STATE_SECONDS,
        callback_options=AsyncCallbackOptions(success=_succeed, failure=_fail),
        logger=log,
    )
    # Slack leads back to the address of the app's settings, whatever SLACK_REDIRECT_URI says.
    settings.redirect_uri = settings.authorize_url_generator.redirect_uri = None
    client = OwnWebClient(api_url=app.api_url, timeout=_CALL_SECONDS, logger=log)
    return AsyncOAuthFlow(client=client, logger=log, settings=settings)


async def _handled(
    request: Request, handle: Callable[[AsyncBoltRequest], Awaitable[BoltResponse]]
) -> Response:
    try:
        return to_starlette_response(await handle(to_async_bolt_request(request, b"")))
    except FAILURES as error:
        log.warning("installation broke off", extra={"why": type(error).__name__})
        return HTMLResponse(_page("unreachable"), status_code=502)


async def _succeed(arguments: AsyncSuccessArgs) -> BoltResponse:
    return await arguments.default.success(arguments)


async def _fail(arguments: AsyncFailureArgs) -> BoltResponse:
    log.warning("installation refused", extra={"why": arguments.error or arguments.reason})
    return BoltResponse(
        status=arguments.suggested_status_code,
        headers={"Content-Type": "text/html; charset=utf-8"},
        body=_page(arguments.reason),
    )


def _page(reason: str) -> str:
    sentence = _SORRY.get(reason) or f"Slack said: {reason}."
    return (
        "<!doctype html><title>Not installed</title><h1>Not installed</h1>"
        f"<p>{html.escape(sentence)} <a href='{INSTALL_PATH}'>Begin again</a></p>"
    )
