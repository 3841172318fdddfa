"""Locks by name that one process at a time holds, and lets go of however it ends."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    asynccontextmanager,
    contextmanager,
    suppress,
)
from pathlib import Path
from typing import Protocol
from weakref import WeakValueDictionary

from asyncmy.errors import MySQLError
from filelock import FileLock
from tortoise.backends.base.client import BaseDBAsyncClient

from storage.errors import StorageError
from storage.owners import try_lock
from storage.transaction import DATABASE_ERRORS, translate
from storage.url import DatabaseUrl

_POLL_SECONDS = 0.05
# Of one session: the server frees it when the connection ends. None of them waits at the server,
# where a cancelled task could not be called back from.
_TAKE = {"postgres": "SELECT pg_try_advisory_lock({})", "mysql": "SELECT GET_LOCK('{}', 0)"}
_FREE = {"postgres": "SELECT pg_advisory_unlock({})", "mysql": "SELECT RELEASE_LOCK('{}')"}

Ask = Callable[[str], Awaitable[object]]

# Whoever waits at the server keeps a connection of the pool, which the holder may need.
_LOCAL: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()


class _PostgresSession(Protocol):
    async def fetchval(self, statement: str, /) -> object: ...


class _MySqlCursor(Protocol):
    async def execute(self, statement: str) -> object: ...
    async def fetchone(self) -> tuple[object, ...]: ...


class _MySqlSession(Protocol):
    def cursor(self) -> AbstractAsyncContextManager[_MySqlCursor]: ...


@asynccontextmanager
async def only_one(
    connection: BaseDBAsyncClient, url: DatabaseUrl, name: str
) -> AsyncGenerator[None]:
    """Hold the lock of this name, once nobody else who uses this database does.

    Raises:
        DatabaseBusy, DatabaseUnusable: the server that keeps it is out of reach.
    """
    async with _held(connection, url, name, waits=True):
        yield


@asynccontextmanager
async def if_free(
    connection: BaseDBAsyncClient, url: DatabaseUrl, name: str
) -> AsyncGenerator[bool]:
    """Hold the lock of this name if nobody has it now; says whether. Raises as `only_one` does."""
    async with _held(connection, url, name, waits=False) as is_mine:
        yield is_mine


@asynccontextmanager
async def _held(
    connection: BaseDBAsyncClient, url: DatabaseUrl, name: str, *, waits: bool
) -> AsyncGenerator[bool]:
    if url.file:
        async with _of_file(Path(f"{url.file}-{name}.lock"), waits=waits) as is_mine:
            yield is_mine
        return
    local = _local(url, name)
    if local.locked() and not waits:
        yield False
        return
    async with local, _of_server(connection, url, name, waits=waits) as is_mine:
        yield is_mine


@asynccontextmanager
async def _of_server(
    connection: BaseDBAsyncClient, url: DatabaseUrl, name: str, *, waits: bool
) -> AsyncGenerator[bool]:
    take, free = (each[url.dialect].format(_key(url, name)) for each in (_TAKE, _FREE))
    async with _session(connection, url) as ask:
        while not (is_mine := bool(await _answer(ask, take))) and waits:  # noqa: ASYNC110  # nobody could set an event
            await asyncio.sleep(_POLL_SECONDS)
        try:
            yield is_mine
        finally:
            with suppress(StorageError):  # a session that is lost holds nothing any more
                if is_mine:
                    await _answer(ask, free)


@asynccontextmanager
async def _session(connection: BaseDBAsyncClient, url: DatabaseUrl) -> AsyncGenerator[Ask]:
    async with AsyncExitStack() as stack:
        with _translated():
            session = await stack.enter_async_context(connection.acquire_connection())  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType, reportUnknownArgumentType]  # asyncpg and asyncmy have no types
        yield _of_postgres(session) if url.dialect == "postgres" else _of_mysql(session)  # pyright: ignore[reportUnknownArgumentType]  # as above


@asynccontextmanager
async def _of_file(path: Path, *, waits: bool) -> AsyncGenerator[bool]:
    lock = FileLock(path)
    while not (is_mine := try_lock(lock)) and waits:  # noqa: ASYNC110  # nobody in this process could set an event
        await asyncio.sleep(_POLL_SECONDS)
    try:
        yield is_mine
    finally:
        lock.release()


def _local(url: DatabaseUrl, name: str) -> asyncio.Lock:
    return _LOCAL.setdefault((url.shown, name), asyncio.Lock())


def _key(url: DatabaseUrl, name: str) -> int:
    """PostgreSQL wants a number of 64 bits; MySQL's are those of all databases of a server.

    Hosts and users are spelled in many ways: only the database's name is the same for all.
    """
    digest = hashlib.sha256(f"{url.credentials['database']}/{name}".encode()).digest()
    return int.from_bytes(digest[:8], signed=True)


def _of_postgres(session: _PostgresSession) -> Ask:
    return session.fetchval


def _of_mysql(session: _MySqlSession) -> Ask:
    async def ask(statement: str) -> object:
        async with session.cursor() as cursor:
            await cursor.execute(statement)
            return (await cursor.fetchone())[0]

    return ask


async def _answer(ask: Ask, statement: str) -> object:
    with _translated():
        return await ask(statement)


@contextmanager
def _translated() -> Generator[None]:
    try:
        yield
    except (*DATABASE_ERRORS, MySQLError) as error:
        raise translate(error) from error
