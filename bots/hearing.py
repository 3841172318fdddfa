"""Hears what people say in channels, at once or when catching up, alike on every platform."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from core.errors import ConfigMistake, DeliveryRefused, NotAllowed, Transient, UserMistake
from core.messaging.intake import Accepted, Reception
from core.messaging.messages import PlatformMessage

log = logging.getLogger(__name__)

T = TypeVar("T")

_RETRY_SECONDS = 5.0


class Refusals(Protocol):
    """How a platform tells people that they may not ask."""

    def answer(self, heard: PlatformMessage, refused: NotAllowed) -> None:
        """Say it soon, where the message stands."""
        ...


async def hear(reception: Reception, refusals: Refusals, heard: PlatformMessage) -> Accepted | None:
    """Store the message for whoever answers it; None if nobody does.

    Raises NotStored as the database does.
    """
    try:
        return await reception.hear(heard)
    except NotAllowed as refused:
        refusals.answer(heard, refused)
    except UserMistake as mistake:  # a binding from chat outlived its agent
        log.warning("nobody can answer", extra={"key": heard.key, "why": str(mistake)})
    return None


async def insist(
    call: Callable[[], Awaitable[T]], left_out: Callable[[], None] = lambda: None
) -> T | None:
    """Make a call of catching up until it works; None where the platform will not have it.

    `left_out` is told when that is for something that a person has to mend.
    """
    while True:
        try:
            return await call()
        except Transient as later:
            log.warning("catching up is put off", extra={"why": str(later)})
            await asyncio.sleep(later.retry_after or _RETRY_SECONDS)
        except DeliveryRefused as refused:
            log.warning("cannot catch up", extra={"why": str(refused)})
            return None
        except ConfigMistake as mistake:  # what is missed meanwhile is read when it is mended
            log.warning("cannot catch up", extra={"why": str(mistake)})
            left_out()
            return None
