"""How far a platform has been heard, so that what was missed can be found."""

from __future__ import annotations

from datetime import datetime

from core.address import Address
from core.clock import Clock
from storage import cursors, places


class Cursors:
    """One position, in microseconds since 1970, for each address; it only moves forward."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def below(self, address: Address) -> dict[str, int]:
        """The positions at this address and below it, by address."""
        return await cursors.below(address.key)

    async def advance(self, address: Address, position: int) -> None:
        """Everything at this address was heard up to there."""
        await cursors.advance(address.key, position, self._clock())

    async def threads(
        self, address: Address, *, since: datetime, limit: int
    ) -> list[tuple[Address, str]]:
        """The threads below an address in which something was heard, newest first."""
        found = await places.recent_threads(address.key, since=since, limit=limit)
        return [(Address.parse(path), thread) for path, thread in found]

    async def places(self, address: Address, *, since: datetime, limit: int) -> list[Address]:
        """The conversations below an address in which something was heard, newest first."""
        found = await places.recent_conversations(address.key, since=since, limit=limit)
        return [Address.parse(path) for path in found]
