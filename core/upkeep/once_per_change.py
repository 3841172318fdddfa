"""Does something once for each change of it, and in one process at a time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from core.clock import Clock
from core.messaging.storing import storing
from storage import cursors
from storage.database import Database


class OncePerChange:
    """Keeps, by name, the fingerprint of what was done last."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def run(self, name: str, fingerprint: str, act: Callable[[], Awaitable[object]]) -> bool:
        """Call `act` unless it was done for this fingerprint; False if there was nothing to do.

        Processes wait for each other. The fingerprint (190 characters at most) is stored after
        `act` has returned: a process that is cut off before, or loses the lock, leaves it to be
        done again. So `act` has to be something that can be done twice.

        Raises:
            NotStored: the database cannot be used now.
        """
        with storing():
            async with self._database.only_one(_file_name(name)):
                if await cursors.last_seen(name) == fingerprint:
                    return False
                await act()
                await cursors.see(name, fingerprint, self._clock())
                return True


def _file_name(name: str) -> str:
    return name.replace("/", "-")
