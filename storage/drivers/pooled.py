"""A connection of asyncpg through a pooler, which lends a server's for one transaction at a time.

What a session would keep there (prepared statements, settings, locks) is somebody else's after it.
Imported where PostgreSQL is used only: it imports the driver.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from asyncpg import Connection

R = TypeVar("R")


def pooled(begin: str) -> type[Connection]:
    """Connections whose transactions all begin with this, and whose questions are all in one.

    asyncpg prepares a statement and then runs it; between the two a pooler may lend it another
    connection of the server, unless both are in a transaction.
    """

    class Pooled(Connection):
        __slots__ = ()

        async def execute(self, query: str, *args: object, timeout: float | None = None) -> str:
            if query.startswith("BEGIN"):
                query = f"{query.rstrip(';')}; {begin}"
            act = super().execute
            if not args:  # in one go, then
                return await act(query, timeout=timeout)
            return await self._whole(lambda: act(query, *args, timeout=timeout))

        async def fetch(self, query: str, *args: object, **how: Any) -> list[Any]:  # noqa: ANN401  # as the driver has it
            act = super().fetch
            return await self._whole(lambda: act(query, *args, **how))

        async def fetchval(self, query: str, *args: object, **how: Any) -> Any:  # noqa: ANN401  # as above
            act = super().fetchval
            return await self._whole(lambda: act(query, *args, **how))

        async def fetchrow(self, query: str, *args: object, **how: Any) -> Any:  # noqa: ANN401  # as above
            act = super().fetchrow
            return await self._whole(lambda: act(query, *args, **how))

        async def _whole(self, act: Callable[[], Awaitable[R]]) -> R:
            if self.is_in_transaction():
                return await act()
            async with self.transaction():
                return await act()

    return Pooled
