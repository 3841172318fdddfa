"""What has to be done again only when something changed, and by one process."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from core.clock import Clock
from core.messaging.storing import storing
from storage import cursors
from storage.database import Database


class Changes:
    """Remembers for each name what it was done for last."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def when_changed(
        self, name: str, what: str, act: Callable[[], Awaitable[object]]
    ) -> bool:
        """Act if it was done last for something else; False if there was nothing to do.

        Processes wait for each other. What was acted for stands in the database only when `act`
        has returned: cut off, as when the lock is lost, it is done again. A process that is cut
        off from the server may be acting still when another one does: `act` is something that can
        be done twice. `what` has at most 190 characters.

        Raises:
            NotStored: the database cannot be used now.
        """
        with storing():
            async with self._database.only_one(_file_name(name)):
                if await cursors.last_seen(name) == what:
                    return False
                await act()
                await cursors.see(name, what, self._clock())
                return True


def _file_name(name: str) -> str:
    return name.replace("/", "-")
