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

    With `is_whole`, a statement outside of a transaction gets one of its own. With its statement
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
            return cast("str", await self._whole(act))

        async def fetch(self, *args: object, **how: object) -> object:
            return await self._whole(partial(super().fetch, *args, **how))

        async def fetchval(self, *args: object, **how: object) -> object:
            return await self._whole(partial(super().fetchval, *args, **how))

        async def fetchrow(self, *args: object, **how: object) -> object:
            return await self._whole(partial(super().fetchrow, *args, **how))

        async def _whole(self, act: Callable[[], Awaitable[object]]) -> object:
            if not is_whole or self.is_in_transaction():
                return await act()
            async with self.transaction():
                return await act()

    return Pooled
