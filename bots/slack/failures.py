"""What a failed call to Slack means: who can act, and whether it may have had its effect."""

from __future__ import annotations

import math

from aiohttp import ClientError
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from core import network
from core.errors import ConfigMistake, DeliveryRefused, MooringsError, Transient

# AttributeError is the SDK's own, at a proxy's plain text where JSON was due.
FAILURES = (SlackClientError, ClientError, TimeoutError, OSError, ValueError, AttributeError)

_RATE_LIMITED = 429
_SERVER_ERROR = 500
_WAIT_UNKNOWN = 5.0  # seconds, for a 429 that does not say
_RATE_CODES = {"ratelimited", "rate_limited", "message_limit_exceeded"}
_MAY_HAVE_WORKED = {"fatal_error", "internal_error", "request_timeout", "service_unavailable"}
_TOKEN_CODES = {
    *("invalid_auth", "not_authed", "token_revoked", "token_expired", "account_inactive"),
    *("not_allowed_token_type", "org_login_required", "team_access_not_granted"),
}


class NotDone(Transient):
    """It may work later, and certainly had no effect now."""


class SlackRefused(DeliveryRefused):
    """Slack said no, and that is final; `code` is Slack's word for why."""

    def __init__(self, method: str, code: str) -> None:
        super().__init__(f"Slack refused {method}: {code}.")
        self.code = code


def translated(error: Exception, method: str) -> MooringsError:
    """Slack's or the network's failure as ours; carries neither a token nor what was sent.

    A plain `Transient` may have had its effect; everything else certainly had none.
    """
    if not isinstance(error, SlackApiError):
        return Transient(f"Slack did not answer {method}: {network.why(error)}.")
    response: object = error.response
    if not isinstance(response, AsyncSlackResponse):  # a body that is no JSON
        return Transient(f"Slack answered {method} with something unreadable.")
    code = _word(response, "error")
    if response.status_code == _RATE_LIMITED or code in _RATE_CODES:
        return NotDone(f"Slack asks to slow down with {method}.", retry_after=_wait(response))
    if response.status_code >= _SERVER_ERROR or code in _MAY_HAVE_WORKED or not code:
        what = code or f"HTTP {response.status_code}"
        return Transient(f"Slack has trouble with {method}: {what}.")
    return _refused(method, code, _word(response, "needed"))


def _refused(method: str, code: str, needed: str) -> MooringsError:
    if code == "missing_scope":
        return _missing_scope(needed, method)
    return _bad_token(code) if code in _TOKEN_CODES else SlackRefused(method, code)


def _missing_scope(needed: str, method: str) -> ConfigMistake:
    return ConfigMistake(
        f"The Slack app lacks the scope {needed or '(Slack does not say which)'} for {method}: "
        "add it under OAuth & Permissions, or paste the output of `moorings manifest slack` as "
        "the app's manifest, and reinstall the app to the workspace."
    )


def _bad_token(code: str) -> ConfigMistake:
    return ConfigMistake(
        f"Slack does not accept the bot token ({code}): reinstall the app to the workspace "
        "under OAuth & Permissions and set SLACK_BOT_TOKEN to the token that begins with xoxb-."
    )


def _wait(response: AsyncSlackResponse) -> float:
    try:
        seconds = float(response.headers.get("Retry-After", ""))
    except ValueError:
        return _WAIT_UNKNOWN
    return max(seconds, 1.0) if math.isfinite(seconds) else _WAIT_UNKNOWN


def _word(response: AsyncSlackResponse, name: str) -> str:
    body: object = response.data
    word = body.get(name) if isinstance(body, dict) else None
    return word if isinstance(word, str) else ""
