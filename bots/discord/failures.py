"""What a failed call to Discord means: who can act, and whether trying again may help."""

from __future__ import annotations

import math

from aiohttp import ClientError, ClientResponse
from discord import DiscordException, HTTPException, LoginFailure, RateLimited

from core.errors import ConfigMistake, DeliveryRefused, MooringsError, Transient

FAILURES = (DiscordException, ClientError, TimeoutError, OSError, ValueError)

UNKNOWN_CHANNEL, UNKNOWN_MESSAGE = 10003, 10008
NO_HISTORY = 160002  # a reply needs the permission to read the history
INVALID_FORM = 50035
ARCHIVED = 50083
NOT_OURS = 50005  # a message of another app: the bot's token is that of a new one

_UNAUTHORIZED, _RATE_LIMITED, _SERVER_ERROR = 401, 429, 500
_PASSING = {
    30046,  # too many edits of messages that are older than an hour
    130000,  # overloaded
}
_WAIT_UNKNOWN = 10.0  # seconds, where Discord does not say


class DiscordRefused(DeliveryRefused):
    """Discord said no, and that is final; `code` is its number for why."""

    def __init__(self, what: str, code: int) -> None:
        super().__init__(f"Discord refused {what}: {code}.")
        self.code = code


def translated(error: Exception, what: str) -> MooringsError:
    """Discord's or the network's failure as ours; carries neither a token nor what was sent.

    Every `Transient` may have had its effect, also a 429: discord.py repeats a call by itself
    after some failures, and only the last one is seen here.
    """
    match error:
        case LoginFailure():
            return _bad_token()
        case RateLimited():
            return _slower(what, error.retry_after)
        case HTTPException():
            return _answered(error, what)
        case _:
            return Transient(f"Discord did not answer {what}: {type(error).__name__}.")


def _answered(error: HTTPException, what: str) -> MooringsError:
    response = error.response
    if error.status == _RATE_LIMITED or error.code in _PASSING:
        return _slower(what, _wait(response))
    if error.status == _UNAUTHORIZED:
        return _bad_token()
    is_json = response.headers.get("Content-Type", "").startswith("application/json")
    if error.status >= _SERVER_ERROR or not is_json:  # what is no JSON is a proxy's
        return Transient(f"Discord has trouble with {what}: HTTP {error.status}.")
    return DiscordRefused(what, error.code or error.status)


def _slower(what: str, seconds: float) -> Transient:
    return Transient(f"Discord asks to slow down with {what}.", retry_after=seconds)


def _bad_token() -> ConfigMistake:
    return ConfigMistake(
        "Discord does not accept the bot token: reset it under Bot in the developer portal "
        "(https://discord.com/developers/applications) and set DISCORD_TOKEN to the new one."
    )


def _wait(response: ClientResponse) -> float:
    try:
        seconds = float(response.headers.get("Retry-After", ""))
    except ValueError:
        return _WAIT_UNKNOWN
    return max(seconds, 1.0) if math.isfinite(seconds) else _WAIT_UNKNOWN
