"""Errors of discord.py and the network, translated into the core's errors."""

from __future__ import annotations

import math

from aiohttp import ClientError, ClientResponse
from discord import DiscordException, HTTPException, LoginFailure, RateLimited

from core import network
from core.errors import ConfigMistake, DeliveryRefused, MooringsError, Transient

# What a call to Discord raises.
FAILURES = (DiscordException, ClientError, TimeoutError, OSError, ValueError)
# What reading an object of discord.py raises when Discord's answer has an unexpected form.
MALFORMED = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, AssertionError)

# JSON error codes: https://discord.com/developers/docs/topics/opcodes-and-status-codes
UNKNOWN_CHANNEL, UNKNOWN_MESSAGE = 10003, 10008
NO_HISTORY = 160002  # replying needs the permission Read Message History
INVALID_FORM = 50035
ARCHIVED = 50083
NOT_OURS = 50005  # a message of another app, as when the token is now that of a new application

_UNAUTHORIZED, _RATE_LIMITED, _SERVER_ERROR = 401, 429, 500
_TEMPORARY = {
    30046,  # too many edits of messages that are older than an hour
    130000,  # overloaded
}
_DEFAULT_WAIT = 10.0  # seconds, where Discord does not say


class DiscordRefused(DeliveryRefused):
    """Discord refused a call for good. `code` is its JSON error code, or the HTTP status."""

    def __init__(self, what: str, code: int) -> None:
        super().__init__(f"Discord refused {what}: {code}.")
        self.code = code


def translated(error: Exception, what: str) -> MooringsError:
    """The core's error for one of FAILURES; holds neither a token nor what was sent.

    `what` is the object of its sentence. A call that ends in `Transient` may have had its effect,
    even after a 429: discord.py repeats a call by itself, and only its last failure comes here.
    """
    match error:
        case LoginFailure():
            return _bad_token()
        case RateLimited():
            return _slower(what, error.retry_after)
        case HTTPException():
            return _answered(error, what)
        case _:
            return Transient(f"Discord did not answer {what}: {network.why(error)}.")


def _answered(error: HTTPException, what: str) -> MooringsError:
    response = error.response
    if error.status == _RATE_LIMITED or error.code in _TEMPORARY:
        return _slower(what, _wait(response))
    if error.status == _UNAUTHORIZED:
        return _bad_token()
    is_json = response.headers.get("Content-Type", "").startswith("application/json")
    if error.status >= _SERVER_ERROR or not is_json:  # not JSON: from a proxy
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
        return _DEFAULT_WAIT
    return max(seconds, 1.0) if math.isfinite(seconds) else _DEFAULT_WAIT
