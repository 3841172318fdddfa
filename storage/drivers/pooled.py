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


def pooled(begin: str, *, is_whole: bool) -> type[Connection]:
    """A class of connections whose transactions all begin with the statement `begin`.

    A statement outside of a transaction gets one of its own, but for one that only reads unless
    `is_whole`: what `begin` limits must not be done after we have given it up. With its statement
    cache off, asyncpg prepares each statement anew as part of running it, so that it does not
    matter which of the server's connections the pooler lends.
    """

    class Pooled(Connection):  # type: ignore[misc]  # asyncpg says no types
        __slots__ = ()

        async def execute(self, query: str, *args: object, **how: object) -> str:
            if query.startswith("BEGIN"):
                status: str = await super().execute(f"{query.rstrip(';')}; {begin}")
                return status
            act = partial(super().execute, query, *args, **how)
            return cast("str", await self._whole(query, act))

        async def fetch(self, query: str, *args: object, **how: object) -> object:
            return await self._whole(query, partial(super().fetch, query, *args, **how))

        async def fetchval(self, query: str, *args: object, **how: object) -> object:
            return await self._whole(query, partial(super().fetchval, query, *args, **how))

        async def fetchrow(self, query: str, *args: object, **how: object) -> object:
            return await self._whole(query, partial(super().fetchrow, query, *args, **how))

        async def _whole(self, query: str, act: Callable[[], Awaitable[object]]) -> object:
            only_reads = query.startswith("SELECT") and not is_whole
            if only_reads or self.is_in_transaction():
                return await act()
            async with self.transaction():
                return await act()

    return Pooled
