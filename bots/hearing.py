"""What listeners and catching up do alike on every platform: store what was said, and insist."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from typing import Protocol, TypeVar

from core.errors import ConfigMistake, DeliveryRefused, NotAllowed, Transient, UserMistake
from core.messaging.intake import Accepted, Reception
from core.messaging.messages import PlatformMessage
from core.messaging.storing import NeverStored, storing

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


@contextmanager
def storable(key: str) -> Generator[None]:
    """As `storing`; what can never be stored is left out: no other message may wait for it."""
    try:
        with storing():
            yield
    except NeverStored as refused:
        log.warning("message cannot be stored", extra={"key": key, "why": str(refused)})


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
