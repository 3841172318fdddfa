"""Waits before an IDENTIFY: Discord resets the token of a bot that exceeds its daily limit.

https://discord.com/developers/docs/events/gateway#session-start-limit-object
"""

from __future__ import annotations

import asyncio
import logging

from pydantic import Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from bots.discord import internals
from bots.discord.rest import Rest
from core.errors import Transient

log = logging.getLogger(__name__)

_PLENTY = 0.5  # of the day's limit: while so much is left, nobody waits
RESERVE = 50  # are left for the operator
_MARGIN_SECONDS = 60.0  # after the reset


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """How many sessions may be started until the limit is reset."""

    total: int = Field(gt=0)
    remaining: int = Field(ge=0)
    reset_after: float = Field(ge=0)  # milliseconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """What Discord's `/gateway/bot` answers."""

    url: str
    shards: int = Field(gt=0)
    session_start_limit: Limit = Limit(total=1_000, remaining=1_000, reset_after=0)


_GATEWAY = TypeAdapter(Gateway)


async def gateway_info(rest: Rest) -> Gateway:
    """Ask Discord for its gateway and the limit; raises as `Rest.call` does."""
    async with rest.call("the gateway's address") as client:
        answer = await internals.gateway(client)
    try:
        return _GATEWAY.validate_python(answer)
    except ValidationError as error:
        raise Transient("Discord did not tell the gateway's address.") from error


class IdentifyLimit:
    """Keeps no count: Discord counts the sessions of all processes, also of those that died."""

    def __init__(self, rest: Rest) -> None:
        self._rest = rest

    async def wait(self) -> str:
        """Wait until a session may be started; returns the gateway's URL.

        Raises:
            Transient: Discord cannot be asked now.
            ConfigMistake: Discord does not accept the token any more.
        """
        while True:
            found = await gateway_info(self._rest)
            left, seconds = found.session_start_limit.remaining, _wait(found)
            extra = {"left": left, "seconds": round(seconds)}
            if left - found.shards >= RESERVE:
                if seconds:
                    log.info("waiting before a session is started", extra=extra)
                await asyncio.sleep(seconds)
                return found.url
            log.error(
                "not connecting to Discord: too few of the day's starts are left, and Discord "
                "resets the token of a bot that goes over them; something restarts too often",
                extra=extra,
            )
            await asyncio.sleep(seconds)


def _wait(found: Gateway) -> float:
    """Seconds to wait: spreads what is left over the rest of the day, or waits for the reset."""
    limit, shards = found.session_start_limit, found.shards
    seconds = limit.reset_after / 1000
    if limit.remaining - shards < RESERVE:
        return seconds + _MARGIN_SECONDS
    if limit.remaining >= limit.total * _PLENTY:
        return 0.0
    return seconds * shards / limit.remaining
