"""Work that need not be done before a platform is told that its event arrived; best effort."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from core.errors import MooringsError
from core.messaging.storing import storing

log = logging.getLogger(__name__)

_MOST = 1_000  # that wait

Work = Callable[[], Awaitable[object]]


class Background:
    """One after the other. What a crash cuts off is not done: nothing promised depends on it."""

    def __init__(self) -> None:
        self._due: asyncio.Queue[tuple[str, Work]] = asyncio.Queue(maxsize=_MOST)

    def add(self, what: str, work: Work) -> None:
        """Do it soon; `what` is for the log. It is left out while a thousand others wait."""
        if self._due.full():
            log.warning("background work left out", extra={"what": what})
            return
        self._due.put_nowait((what, work))

    async def run(self) -> None:
        """Do what is due, until cancelled."""
        while True:
            what, work = await self._due.get()
            try:
                with storing():
                    await work()
            except MooringsError as error:
                log.warning("background work failed", extra={"what": what, "why": str(error)})
