"""What is shown outside of the time that a platform gives to acknowledge; best effort."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from core.errors import MooringsError
from core.messaging.storing import storing

log = logging.getLogger(__name__)

_MOST = 1_000  # that wait

Errand = Callable[[], Awaitable[object]]


class Errands:
    """One after the other. What a crash cuts off is not done: nothing promised depends on it."""

    def __init__(self) -> None:
        self._due: asyncio.Queue[tuple[str, Errand]] = asyncio.Queue(maxsize=_MOST)

    def add(self, what: str, errand: Errand) -> None:
        """Do it soon; `what` is for the log. It is left out while a thousand others wait."""
        if self._due.full():
            log.warning("errand left out", extra={"what": what})
            return
        self._due.put_nowait((what, errand))

    async def run(self) -> None:
        """Do what is due, until cancelled."""
        while True:
            what, errand = await self._due.get()
            try:
                with storing():
                    await errand()
            except MooringsError as error:
                log.warning("errand failed", extra={"what": what, "why": str(error)})
