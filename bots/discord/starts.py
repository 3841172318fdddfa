"""When another session may be started: Discord resets the token of a bot that starts too often."""

from __future__ import annotations

import asyncio
import logging

from pydantic import Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from bots.discord import internals
from bots.discord.rest import Rest
from core.errors import Transient

log = logging.getLogger(__name__)

_PLENTY = 0.5  # of the day's starts: as long as so many are left, nobody waits
LAST = 50  # are kept for the operator
_MARGIN_SECONDS = 60.0  # after the reset


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """How many sessions may be started, and in how many milliseconds there are more again."""

    total: int = Field(gt=0)
    remaining: int = Field(ge=0)
    reset_after: float = Field(ge=0)  # milliseconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """What Discord says of its gateway."""

    url: str
    shards: int = Field(gt=0)
    session_start_limit: Limit = Limit(total=1_000, remaining=1_000, reset_after=0)


_GATEWAY = TypeAdapter(Gateway)


async def ask(rest: Rest) -> Gateway:
    """What Discord says now; raises as `Rest.call` does."""
    async with rest.call("the gateway's address") as client:
        answer = await internals.gateway(client)
    try:
        return _GATEWAY.validate_python(answer)
    except ValidationError as error:
        raise Transient("Discord did not tell the gateway's address.") from error


class Starts:
    """Discord counts the starts of all processes, also of those that died: nothing is kept here."""

    def __init__(self, rest: Rest) -> None:
        self._rest = rest

    async def turn(self) -> str:
        """The gateway's address, once a start costs no more than its share of the day's starts.

        Raises:
            Transient: Discord cannot be asked now.
            ConfigMistake: Discord does not accept the token any more.
        """
        while True:
            found = await ask(self._rest)
            left, seconds = found.session_start_limit.remaining, _wait(found)
            extra = {"left": left, "seconds": round(seconds)}
            if left - found.shards >= LAST:
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
    """Seconds: the rest of the day spread over what is left; all of it where that is too little."""
    limit, shards = found.session_start_limit, found.shards
    seconds = limit.reset_after / 1000
    if limit.remaining - shards < LAST:
        return seconds + _MARGIN_SECONDS
    if limit.remaining >= limit.total * _PLENTY:
        return 0.0
    return seconds * shards / limit.remaining
