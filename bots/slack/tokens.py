"""Tries the tokens once before the bot starts: a wrong one is one clear sentence."""

from __future__ import annotations

import logging
from collections.abc import Awaitable

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bots.slack import fields
from bots.slack.failures import FAILURES
from bots.slack.reader import Bot
from bots.slack.web import OwnWebClient
from core import network
from core.errors import ConfigMistake, Transient

_BOT, _APP = "SLACK_BOT_TOKEN", "SLACK_APP_TOKEN"
_PREFIXES = {_BOT: "xoxb-", _APP: "xapp-"}
_PAGES = {_BOT: "OAuth & Permissions", _APP: "Basic Information > App-Level Tokens"}
_UNKNOWN = "Slack does not know {name}: copy it anew from {page}."
_WORDS = {
    "invalid_auth": _UNKNOWN,
    "not_authed": _UNKNOWN,
    "token_revoked": "{name} has been revoked: reinstall the app and copy the new one from {page}.",
    "token_expired": "{name} has expired: make an app without token rotation and use its token.",
    "account_inactive": (
        "{name} belongs to an app that was uninstalled or disabled in its workspace: install it "
        "again and copy the new token from {page}."
    ),
    "not_allowed_token_type": "{name} is of the wrong kind: copy the right one from {page}.",
    "missing_scope": (
        "{name} lacks the scope connections:write: make a token that has it under {page}."
    ),
    "access_denied": "Socket Mode is off: switch it on under Settings > Socket Mode.",
}
_RETRIED = {
    *("ratelimited", "fatal_error", "internal_error", "request_timeout", "service_unavailable"),
}


async def identify(token: str, api_url: str) -> Bot:
    """The workspace and the user that the bot token belongs to.

    Raises:
        ConfigMistake: it is no good; says what to do.
        Transient: Slack cannot be asked.
    """
    _check_prefix(_BOT, token)
    body = await _checked(_BOT, web(api_url, token).auth_test())
    return Bot(
        team=fields.id_at(body, "team_id"),
        user=fields.id_at(body, "user_id"),
        bot=fields.id_at(body, "bot_id"),
    )


async def check_sockets(token: str, api_url: str) -> None:
    """Make sure that the app-level token opens Socket Mode; raises as `identify`."""
    _check_prefix(_APP, token)
    await _checked(_APP, web(api_url).apps_connections_open(app_token=token))


def _check_prefix(name: str, token: str) -> None:
    prefix = _PREFIXES[name]
    if token.startswith(prefix):
        return
    other = next((other for other, its in _PREFIXES.items() if token.startswith(its)), None)
    if other:
        raise ConfigMistake(
            f"{name} holds what belongs into {other}: it has to begin with {prefix}. "
            "Perhaps the two are swapped."
        )
    raise ConfigMistake(f"{name} has to begin with {prefix}: copy it from {_PAGES[name]}.")


async def _checked(name: str, call: Awaitable[AsyncSlackResponse]) -> object:
    try:
        answer: object = (await asked(call)).data
    except SaidNo as no:
        if not no.code or no.code in _RETRIED:
            raise Transient(f"Slack cannot check {name}: {no.code or 'no answer'}.") from None
        words = _WORDS.get(no.code, "Slack refuses {name} ({code}): copy it anew from {page}.")
        raise ConfigMistake(words.format(name=name, page=_PAGES[name], code=no.code)) from None
    return answer


_SECONDS = 10


class SaidNo(Exception):
    """`code` is Slack's word for why; empty where what came was no answer of Slack's."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def web(api_url: str, token: str | None = None) -> OwnWebClient:
    """A client for `asked`."""
    sdk = logging.getLogger(f"{__name__}.sdk")
    sdk.setLevel(logging.WARNING)
    return OwnWebClient(token=token, api_url=api_url, timeout=_SECONDS, logger=sdk)


async def asked(call: Awaitable[AsyncSlackResponse]) -> AsyncSlackResponse:
    """Slack's answer.

    Raises:
        SaidNo: it is a refusal.
        Transient: there is none.
    """
    try:
        return await call
    except SlackApiError as error:
        raise SaidNo(_code(error)) from None
    except FAILURES as error:
        raise Transient(f"Slack cannot be reached: {network.why(error)}.") from None


def _code(error: SlackApiError) -> str:
    response: object = error.response
    if not isinstance(response, AsyncSlackResponse) or response.status_code != 200:
        return ""
    return fields.text_at(response.data, "error")
