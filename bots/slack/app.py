"""The app of slack-bolt: hands what Slack delivers to its listener, and says what to answer."""

from __future__ import annotations

import logging
from collections.abc import Callable

from slack_bolt.async_app import AsyncApp, AsyncBoltRequest
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.authorization.async_authorize import AsyncAuthorize
from slack_bolt.error import BoltUnhandledRequestError
from slack_bolt.oauth.async_oauth_flow import AsyncOAuthFlow
from slack_bolt.response import BoltResponse

from bots.capacity import Capacity
from bots.slack import parse
from bots.slack.fields import at, text_at
from bots.slack.listeners import Listeners, dropped
from bots.slack.web import OwnWebClient
from core.errors import Transient
from core.messaging.storing import NeverStored, storing

log = logging.getLogger(__name__)

_LAST_ATTEMPT = 3  # Slack delivers an event once, and three times again
_UNREADABLE = (AttributeError, LookupError, TypeError, ValueError, RecursionError)


class SlackApp:
    """Acknowledges what is stored, or is for nobody, and nothing else."""

    def __init__(
        self,
        bolt: AsyncApp,
        listeners: Listeners,
        *,
        came: Callable[[str], None],
        gave_up: Callable[[str], None],
    ) -> None:
        """Both are told the workspace: `came` of an event that is done with, `gave_up` of one that
        came at its last attempt: if it is not stored, or others before it were not, they will not
        come again.
        """
        self._bolt = bolt
        self._came = came
        self._gave_up = gave_up
        self._capacity = Capacity()
        listeners.listen(bolt)

    async def dispatch(self, read: Callable[[], AsyncBoltRequest]) -> BoltResponse:
        """200: acknowledged, with what there is to say; 503: not stored, so not acknowledged.

        `read` makes the request. What a listener raises besides is raised.
        """
        request = _request(read)
        if request is None:
            return BoltResponse(status=200)
        response = await self._dispatch(request)
        if _attempt(request) >= _LAST_ATTEMPT:
            self._gave_up(parse.team_of(request.body))
        return response

    async def _dispatch(self, request: AsyncBoltRequest) -> BoltResponse:
        try:
            with storing(), self._capacity.used():
                response = await self._bolt.async_dispatch(request)
        except Transient as error:
            extra = {"kind": parse.kind(request.body), "why": str(error)}
            if not (isinstance(error, NeverStored) and _is_event(request.body)):
                log.warning("not stored, so not acknowledged", extra=extra)
                return BoltResponse(status=503)
            log.warning("can never be stored, so acknowledged all the same", extra=extra)
            response = BoltResponse(status=200)
        self._came(parse.team_of(request.body))
        return response


def bolt(api_url: str, flow: AsyncOAuthFlow | None = None) -> AsyncApp:
    """Bolt's app; `flow` is what installs it.

    Everything is given that Bolt would read from the environment. It holds no token, and its
    `client` and `say` are not used: answers go by the outbox, calls keep to Slack's limits.
    """
    quiet = logging.getLogger(f"{__name__}.bolt")
    quiet.setLevel(logging.ERROR)
    app = AsyncApp(
        name=f"{__name__}.bolt",
        logger=quiet,
        signing_secret="",
        client=OwnWebClient(api_url=api_url, timeout=10, logger=quiet),
        authorize=_Authorize(),  # type: ignore[no-untyped-call]  # Bolt's
        oauth_flow=flow,
        process_before_response=True,  # else it acknowledges events before they are stored
        raise_error_for_unhandled_request=True,  # else they are delivered again and again
        request_verification_enabled=False,  # it reads the body first: bots/slack/http.py does not
        ssl_check_enabled=False,
        ignoring_self_events_enabled=False,  # as bots/slack/parse.py does, also when it catches up
        attaching_function_token_enabled=False,
        attaching_conversation_kwargs_enabled=False,
    )
    app.error(_failed)
    return app


class _Authorize(AsyncAuthorize):
    """Lets every workspace in, without asking Slack: whom the bot serves, the core knows."""

    async def __call__(
        self, *, enterprise_id: str | None, team_id: str | None, **_: object
    ) -> AuthorizeResult:
        """As Bolt's."""
        return AuthorizeResult(enterprise_id=enterprise_id, team_id=team_id)


async def _failed(error: Exception, body: object) -> BoltResponse:
    """What nobody listens to is acknowledged; what a listener raises leaves Bolt as it is."""
    if not isinstance(error, BoltUnhandledRequestError):
        raise error
    dropped(body)
    return BoltResponse(status=200)


def _request(read: Callable[[], AsyncBoltRequest]) -> AsyncBoltRequest | None:
    """None for what is no body of Slack's: Bolt takes for granted what Slack always sends."""
    try:
        request = read()
    except _UNREADABLE:
        dropped(None)
        return None
    if not _is_plain(request.body):
        dropped(request.body)
        return None
    return request


def _attempt(request: AsyncBoltRequest) -> int:
    number = request.headers.get("x-slack-retry-num", [""])[0]
    return int(number) if number.isdecimal() else 0


def _is_event(body: object) -> bool:
    """Rather than what somebody did, who is told that it failed where it is not acknowledged."""
    return text_at(body, "type") == "event_callback"


def _is_plain(body: object) -> bool:
    """Whether Bolt can tell whose it is, and make a listener's arguments of it."""
    if not (isinstance(body, dict) and isinstance(body.get("command", ""), str)):
        return False
    match text_at(body, "type"):
        case "event_callback":
            return isinstance(at(body, "event"), dict)
        case "block_actions" | "interactive_message":
            return bool(text_at(body, "actions", 0, "action_id"))
        case "view_submission" | "view_closed":
            return text_at(body, "view", "type") in {"modal", "home"}
        case kind:
            return kind != "workflow_step_edit"
