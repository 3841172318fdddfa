"""A connection of asyncpg through a pooler, which lends a server's for one transaction at a time.

What a session would keep there (prepared statements, settings, locks) is somebody else's after it.
Imported where PostgreSQL is used only: it imports the driver.
"""

# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false, reportIncompatibleMethodOverride=false
# asyncpg says no types

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import cast

from asyncpg import Connection


def pooled(begin: str) -> type[Connection]:
    """Connections whose transactions all begin with this, and whose questions are all in one.

    asyncpg prepares a statement and then runs it; between the two a pooler may lend it another
    connection of the server, unless both are in a transaction.
    """

    class Pooled(Connection):  # type: ignore[misc]  # asyncpg says no types
        __slots__ = ()

        async def execute(self, query: str, *args: object, **how: object) -> str:
            if query.startswith("BEGIN"):
                query = f"{query.rstrip(';')}; {begin}"
            act = partial(super().execute, query, *args, **how)
            status = await (self._whole(act) if args else act())  # without, it is one thing
            return cast("str", status)

        async def fetch(self, *args: object, **how: object) -> object:
            return await self._whole(partial(super().fetch, *args, **how))

        async def fetchval(self, *args: object, **how: object) -> object:
            return await self._whole(partial(super().fetchval, *args, **how))

        async def fetchrow(self, *args: object, **how: object) -> object:
            return await self._whole(partial(super().fetchrow, *args, **how))

        async def _whole(self, act: Callable[[], Awaitable[object]]) -> object:
            if self.is_in_transaction():
                return await act()
            async with self.transaction():
                return await act()

    return Pooled
