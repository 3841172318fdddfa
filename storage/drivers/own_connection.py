"""A connection of its own, beside those that all else shares: for one long transaction."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import Protocol, cast

from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.exceptions import IntegrityError

from storage.drivers.connecting import open_pool, told
from storage.drivers.internals import Pool, pool_of
from storage.drivers.options import Dialect
from storage.drivers.script import as_stored, in_dialect
from storage.drivers.session import Row, Values, integrity_errors, session_of
from storage.drivers.transaction import database_errors, to_the_end, translate
from storage.drivers.url import DatabaseUrl


class _Asked(Protocol):
    """A connection that nobody else uses."""

    async def rows(self, statement: str, values: Values) -> list[Row]:
        """The rows of a statement; none where it has none."""
        ...

    def close(self) -> None:
        """Close it; a transaction that has not ended is rolled back."""
        ...


class OwnConnection:
    """What is asked there, as in a script: `?` stands for each value, `"` quotes a name."""

    def __init__(self, asked: _Asked, dialect: Dialect, seconds: float | None) -> None:
        self.dialect = dialect
        self._asked = asked
        self._seconds = seconds

    async def rows(self, text: str, *values: object) -> list[Row]:
        """The rows of a statement; none where it has none.

        Raises:
            DatabaseBusy, DatabaseUnusable: it failed, or there was no answer in time.
            IntegrityError: as it is.
        """
        statement, given = in_dialect(text, self.dialect), as_stored(values)
        with _translated():
            async with asyncio.timeout(self._seconds):
                return await self._asked.rows(statement, given)


@asynccontextmanager
async def own_connection(
    connection: BaseDBAsyncClient, url: DatabaseUrl
) -> AsyncGenerator[OwnConnection]:
    """Open one to the same database; what was begun on it and not committed is rolled back."""
    if url.file:
        with _translated():
            file = _File(url.file, url.credentials["busy_timeout"])
        try:
            yield OwnConnection(file, url.dialect, None)
        finally:
            file.close()
        return
    alone = {"connection_name": connection.connection_name, "minsize": 1, "maxsize": 1}
    credentials = {**url.credentials, **told(url), **alone}
    client = cast("Callable[..., BaseDBAsyncClient]", type(connection))(**credentials)  # type: ignore[explicit-any]  # each client has its own
    with _translated():
        await open_pool(client, url)
    try:
        async with _only_connection(client) as held:
            yield OwnConnection(held, url.dialect, url.seconds)
    finally:
        await client.close()


@asynccontextmanager
async def _only_connection(client: BaseDBAsyncClient) -> AsyncGenerator[_Asked]:
    """Who does not come to its end leaves a connection that nobody can know, and closes it."""
    pool = cast("Pool", pool_of(client))
    held = await pool.acquire()
    session = session_of(client.capabilities.dialect, held)
    try:
        with ExitStack() as stack:
            stack.callback(session.close)
            yield session
            with _translated():
                await session.rollback()
            stack.pop_all()
    finally:
        await pool.release(held)


class _File:
    """A SQLite file; each statement is done in a thread, one after the other."""

    def __init__(self, file: Path, busy_timeout: object) -> None:
        self._connection = sqlite3.connect(
            file, timeout=float(str(busy_timeout)) / 1000, isolation_level=None,
            check_same_thread=False,
        )  # fmt: skip
        self._connection.execute("PRAGMA synchronous = FULL")

    async def rows(self, statement: str, values: Values) -> list[Row]:
        """As `_Asked.rows`."""
        loop = asyncio.get_running_loop()
        return await to_the_end(loop.run_in_executor(None, partial(self._all, statement, values)))

    def _all(self, statement: str, values: Values) -> list[Row]:
        return self._connection.execute(statement, values).fetchall()

    def close(self) -> None:
        """As `_Asked.close`."""
        self._connection.close()


@contextmanager
def _translated() -> Generator[None]:
    try:
        yield
    except sqlite3.IntegrityError as error:
        raise IntegrityError(error) from error
    except integrity_errors() as error:
        raise IntegrityError(error) from error
    except database_errors() as error:
        raise translate(error) from error
