"""How far a platform has been heard, so that what was missed can be found."""

from __future__ import annotations

import re
from collections import defaultdict
from datetime import datetime, timedelta

from core.address import Address
from core.clock import Clock
from storage import activity, cursors

# How far a channel or thread was heard. Direct messages of Discord are left out: their cursors
# are also the list of those that are looked at. So is when the bot first came to a workspace.
_FOLDED = re.compile(r"(slack/[^/]+)/(?!first$)[^/]+|(discord/(?!@me/)[^/]+)/[^/]+")
_PAGE = 500


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

    async def settled(self, name: str, what: str) -> str:
        """Keep `what` under a name that is no address, for good, if nothing is kept there yet.

        Returns what is kept there then.
        """
        return await cursors.settle(name, what, self._clock())

    async def threads(
        self, address: Address, *, since: datetime, limit: int
    ) -> list[tuple[Address, str]]:
        """The threads below an address in which something was heard, newest first."""
        found = await activity.recent_threads(address.key, since=since, limit=limit)
        return [(Address.parse(path), thread) for path, thread in found]

    async def places(self, address: Address, *, since: datetime, limit: int) -> list[Address]:
        """The conversations below an address in which something was heard, newest first."""
        found = await activity.recent_conversations(address.key, since=since, limit=limit)
        return [Address.parse(path) for path in found]

    async def fold(self, idle: timedelta) -> int:
        """Let a workspace's cursor stand for those below it that have not moved for so long.

        Returns how many are gone. Nothing is answered twice or missed for it: `idle` is longer
        than anybody reads back, so that neither such a cursor nor where the workspace's own was
        until then can decide any more where reading begins. The workspace's own goes as far as
        they were, so that this holds when somebody reads back further from then on.
        """
        count, last, before = 0, 0, self._clock() - idle
        while page := await cursors.idle(before=before, after_id=last, limit=_PAGE):
            last = page[-1].id
            by_workspace = defaultdict[str, list[int]](list)
            for cursor in page:
                if found := _FOLDED.fullmatch(cursor.name):
                    by_workspace[found[1] or found[2]].append(cursor.id)
            for workspace, ids in by_workspace.items():
                count += await cursors.fold(workspace, ids=ids, before=before, now=self._clock())
        return count
