"""Locks by name that one process at a time holds, and lets go of however it ends."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Awaitable, Generator
from contextlib import (
    AsyncExitStack,
    ExitStack,
    asynccontextmanager,
    contextmanager,
    suppress,
)
from pathlib import Path
from weakref import WeakValueDictionary

from filelock import FileLock
from tortoise.backends.base.client import BaseDBAsyncClient

from storage.drivers.pool import in_time, is_spare, lasting
from storage.drivers.session import Session
from storage.drivers.transaction import database_errors, translate
from storage.drivers.url import DatabaseUrl
from storage.errors import DatabaseBusy, StorageError
from storage.owners import try_lock

_POLL_SECONDS = 0.05
# PostgreSQL's is one of a transaction, which a pooler leaves its connection, as it does not leave
# it a session; MySQL's of a session. The server frees either when the connection ends. None of
# them waits at the server, where a cancelled task could not be called back from.
_TAKE = {
    "postgres": "SELECT pg_try_advisory_xact_lock({}),"
    " set_config('idle_in_transaction_session_timeout', '0', true)",
    "mysql": "SELECT GET_LOCK('{}', 0)",
}
_FREE = "SELECT RELEASE_LOCK('{}')"

# Whoever waits at the server keeps a connection of the pool, which the holder may need.
_LOCAL: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()


@asynccontextmanager
async def only_one(
    connection: BaseDBAsyncClient, url: DatabaseUrl, name: str
) -> AsyncGenerator[None]:
    """Hold the lock of this name, once nobody else who uses this database does.

    What is done under it is cut off when the server closes the connection that holds it, and lets
    somebody else have it. A holder that is only cut off from the server does not learn of that:
    whatever it tells others than the database must do no harm when it is told twice.

    Raises:
        DatabaseBusy, DatabaseUnusable: the server that keeps it is out of reach, or was lost.
    """
    async with _held(connection, url, name, waits=True):
        yield


@asynccontextmanager
async def if_free(
    connection: BaseDBAsyncClient, url: DatabaseUrl, name: str
) -> AsyncGenerator[bool]:
    """Hold the lock of this name if nobody has it now; says whether. Raises as `only_one` does.

    A process that holds as many as it has connections for takes none.
    """
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
    if not waits and (local.locked() or not is_spare(connection)):
        yield False
        return
    async with local, _of_server(connection, url, name, waits=waits) as is_mine:
        yield is_mine


@asynccontextmanager
async def _of_server(
    connection: BaseDBAsyncClient, url: DatabaseUrl, name: str, *, waits: bool
) -> AsyncGenerator[bool]:
    key = _key(url, name)
    async with _session(connection) as session:
        while not (is_mine := await _is_taken(session, key, connection)) and waits:  # noqa: ASYNC110  # nobody could set an event
            await asyncio.sleep(_POLL_SECONDS)
        if not is_mine:
            yield False
            return
        try:
            async with _while_open(session):
                yield True
        finally:
            with suppress(StorageError):  # a session that is lost holds nothing any more
                await _let_go(session, key, connection)


async def _is_taken(session: Session, key: int, connection: BaseDBAsyncClient) -> bool:
    """Try once; whoever has to wait keeps no connection of a pooler meanwhile."""
    dialect = connection.capabilities.dialect
    take = _TAKE[dialect].format(key)
    if dialect == "mysql":
        return bool(await _heard(session, connection, session.ask(take)))
    await _heard(session, connection, session.begin())
    is_mine = bool(await _heard(session, connection, session.ask(take)))
    if not is_mine:
        await _let_go(session, key, connection)
    return is_mine


async def _let_go(session: Session, key: int, connection: BaseDBAsyncClient) -> None:
    is_mysql = connection.capabilities.dialect == "mysql"
    freed = session.ask(_FREE.format(key)) if is_mysql else session.rollback()
    await _heard(session, connection, freed)


@asynccontextmanager
async def _session(connection: BaseDBAsyncClient) -> AsyncGenerator[Session]:
    async with AsyncExitStack() as stack:
        with _translated():
            session = await stack.enter_async_context(lasting(connection))
        yield session


@asynccontextmanager
async def _while_open(session: Session) -> AsyncGenerator[None]:
    """Cut off what is done here when the session is closed: it does not hold the lock any more."""
    scope, loop = asyncio.timeout(None), asyncio.get_running_loop()
    stop = session.when_closed(lambda: scope.reschedule(loop.time()))
    try:
        async with scope:
            yield
    except TimeoutError as error:
        if not scope.expired():
            raise
        raise DatabaseBusy("The connection that held a lock was lost; try again.") from error
    finally:
        stop()


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
    named = f"{url.credentials['database']}/{url.schema + '/' if url.schema else ''}{name}"
    digest = hashlib.sha256(named.encode()).digest()
    return int.from_bytes(digest[:8], signed=True)


async def _heard(
    session: Session, connection: BaseDBAsyncClient, asked: Awaitable[object]
) -> object:
    """Who does not hear the answer cannot know what the session holds, and closes it."""
    with _translated(), ExitStack() as stack:
        stack.callback(session.close)
        async with in_time(connection):
            answer = await asked
        stack.pop_all()
        return answer


@contextmanager
def _translated() -> Generator[None]:
    try:
        yield
    except database_errors() as error:
        raise translate(error) from error
