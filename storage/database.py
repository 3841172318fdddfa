"""Opens and closes the database; a database of an older version is brought up to date."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import cast
from weakref import WeakKeyDictionary

from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception,
    stop_after_delay,
    wait_random,
)
from tortoise.backends.sqlite.client import SqliteClient
from tortoise.context import TortoiseContext, set_global_context
from tortoise.exceptions import ConfigurationError

from storage.drivers.connecting import connect, told
from storage.drivers.file import OpenedFile, check_openable, check_room
from storage.drivers.fulltext import ensure, is_there
from storage.drivers.internals import enter, is_entered, thread_of
from storage.drivers.lock import if_free, only_one
from storage.drivers.own_connection import OwnConnection, own_connection
from storage.drivers.pool import hurry
from storage.drivers.transaction import database_errors, reading
from storage.drivers.unreached import unreached
from storage.drivers.url import DatabaseUrl, parse
from storage.errors import DatabaseBusy, Unreached
from storage.migration import LOCK, condition, known, migrate

log = logging.getLogger(__name__)

# Tortoise fills its models in when a context is made: one at a time.
_MAKING = threading.Lock()
_AT_EXIT = "close-databases-at-exit"
_files = WeakKeyDictionary[SqliteClient, Callable[[], object]]()  # each with what stops its thread
_CLOCKS = {
    "postgres": "SELECT extract(epoch FROM clock_timestamp()) AS seconds",
    "mysql": "SELECT unix_timestamp(now(6)) AS seconds",
}


class Database:
    """The open database: the verbs find it by themselves.

    A process has one for all its tasks. Where event loops run in several threads, each has one of
    its own, which its tasks have to `enter`.
    """

    def __init__(self, url: DatabaseUrl, context: TortoiseContext) -> None:
        self.url = url
        self._context = context
        self._file = OpenedFile(url.file) if url.file else None

    @property
    def file(self) -> Path | None:
        """The SQLite file; None for a server."""
        return self.url.file

    def enter(self) -> None:
        """Let the verbs of this task, and of those that it starts from now on, use this one."""
        enter(self._context)

    @reading
    async def probe(self) -> None:
        """Read something small.

        Raises:
            DatabaseBusy, DatabaseUnusable: it gives no answer.
        """
        connection = self._context.connections.get(self.url.dialect)
        await connection.execute_query("SELECT name FROM tortoise_migrations LIMIT 1")  # pyright: ignore[reportUnknownMemberType]  # rows of dict, not of what

    def check_file(self) -> None:
        """Find out whether its file is still there; of a server there is none.

        Raises:
            DatabaseUnusable: what is written would be lost.
        """
        if self._file:
            self._file.check()

    def only_one(self, name: str) -> AbstractAsyncContextManager[None]:
        """Hold the lock of this name, which one process of those that use the database has.

        Raises:
            DatabaseBusy, DatabaseUnusable: the server that keeps it is out of reach.
        """
        return only_one(self._context.connections.get(self.url.dialect), self.url, name)

    def if_free(self, name: str) -> AbstractAsyncContextManager[bool]:
        """As `only_one`, without waiting for whoever has it; says whether it is held here now."""
        return if_free(self._context.connections.get(self.url.dialect), self.url, name)

    def apart(self) -> AbstractAsyncContextManager[OwnConnection]:
        """A connection of its own for one long transaction, beside all that the verbs do.

        Raises:
            DatabaseBusy, DatabaseUnusable: there is none to be had.
        """
        return own_connection(self._context.connections.get(self.url.dialect), self.url)

    def hurry(self, seconds: float) -> None:
        """Give up so many seconds from now what a server has not answered by then.

        What begins later, or near that, has one second. What a file is asked has its own limit.
        """
        hurry(self._context.connections.get(self.url.dialect), seconds)

    async def close(self) -> None:
        """Close every connection; safe to call twice."""
        if is_entered(self._context):
            enter(None)
        await self._context.close_connections()


async def open_database(url: str) -> Database:
    """Open the database at `url`, creating a SQLite file or migrating what is older.

    Raises:
        DatabaseUnusable: the URL, the file or the server cannot be used as it is.
        NewerDatabase: a later version of the program changed it so that this one cannot use it.
        DatabaseBusy: it is locked or out of reach, or has still no connection left for us after
            the time that a transaction may take.
    """
    parsed = parse(url)
    if parsed.file:
        check_openable(parsed.file)
    patiently = AsyncRetrying(
        retry=retry_if_exception(_may_pass),
        stop=stop_after_delay(parsed.seconds or 0),
        wait=wait_random(0.2, 1),
        before_sleep=_tell,
        reraise=True,
    )
    return await patiently(_opened, parsed)


def _may_pass(error: BaseException) -> bool:
    """A server that answers is full, is being started, or broke off."""
    return isinstance(error, DatabaseBusy) and not isinstance(error, Unreached)


def _tell(state: RetryCallState) -> None:
    why = state.outcome.exception() if state.outcome else None
    log.warning("waiting for the database", extra={"why": str(why)})


async def _opened(parsed: DatabaseUrl) -> Database:
    context = TortoiseContext()
    is_open = False
    try:
        with context:
            await _connect(context, parsed)
        is_open = True
    except database_errors() as error:
        raise unreached(error, parsed) from error
    finally:
        if not is_open:
            await context.close_connections()
    return Database(parsed, context)


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """How a database was found: the newest migration that it has, and those that it lacks.

    `file` is the SQLite file; None for a server.
    `is_pooled` is whether a connection pooler stands before it; `ahead_seconds` how far the clock
    of this machine is ahead of a server's, if that was asked.
    """

    shown: str
    file: Path | None
    newest: str | None
    missing: tuple[str, ...]
    is_pooled: bool = False
    ahead_seconds: float = 0


async def examine(url: str, clock: Callable[[], datetime] | None = None) -> Condition:
    """Look at a database without changing it: that it can be reached, read and written.

    With a `clock`, a server's is compared with it.

    Raises:
        DatabaseUnusable, NewerDatabase, DatabaseBusy: as for `open_database`.
    """
    parsed = parse(url)
    if parsed.file:
        if parsed.file.exists():
            check_openable(parsed.file)
        else:
            check_room(parsed.file)
            return Condition(
                shown=parsed.shown, file=parsed.file, newest=None, missing=tuple(known())
            )
    context = TortoiseContext()
    try:
        with context:
            await context.init(config=configuration(parsed))
            is_pooled, ahead = False, 0.0
            if parsed.seconds:
                is_pooled = await connect(context.connections.get(parsed.dialect), parsed)
                ahead = await _ahead(context, parsed, clock) if clock else ahead
            applied, missing = await condition(context.connections.get(parsed.dialect))
    except database_errors() as error:
        raise unreached(error, parsed) from error
    finally:
        await context.close_connections()
    newest = applied[-1] if applied else None
    return Condition(
        shown=parsed.shown,
        file=parsed.file,
        newest=newest,
        missing=tuple(missing),
        is_pooled=is_pooled,
        ahead_seconds=ahead,
    )


async def _ahead(
    context: TortoiseContext, url: DatabaseUrl, clock: Callable[[], datetime]
) -> float:
    [row] = await context.connections.get(url.dialect).execute_query_dict(_CLOCKS[url.dialect])  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]  # Tortoise says list and dict, not of what
    return clock().timestamp() - float(cast("float", row["seconds"]))


async def _connect(context: TortoiseContext, url: DatabaseUrl) -> None:
    with _MAKING:  # nothing is awaited in there, as it is
        await context.init(config=configuration(url))
    with suppress(ConfigurationError):  # another one is it already: whoever uses this enters it
        set_global_context(context)  # the verbs run in any task, not only in those below this one
    connection = context.connections.get(url.dialect)
    if url.seconds:
        await connect(connection, url)
    if isinstance(connection, SqliteClient):
        await connection.execute_script("SELECT count(*) FROM sqlite_master")  # pyright: ignore[reportUnknownMemberType]  # Tortoise's decorator loses it
        _let_go_at_exit(connection)
    await migrate(connection, url)
    if not await is_there(connection):
        async with only_one(connection, url, LOCK):
            await ensure(connection)


def configuration(url: DatabaseUrl) -> dict[str, object]:
    """Tortoise's configuration for this database.

    Tortoise keeps compiled statements by a connection's name: named after its dialect, one
    process can open a SQLite file and then a server.
    """
    credentials = dict(url.credentials)
    if url.seconds:
        credentials |= told(url)
    if url.file and _has_content(url.file):
        del credentials["auto_vacuum"]  # changes nothing any more, and would take the write lock
    return {
        "connections": {url.dialect: {"engine": url.engine, "credentials": credentials}},
        "apps": {
            "storage": {
                "models": ["storage.models", "storage.side_models", "storage.derived"],
                "migrations": "storage.migrations",
                "default_connection": url.dialect,
            }
        },
        "use_tz": True,
        "timezone": "UTC",
    }


def _has_content(file: Path) -> bool:
    try:
        return file.stat().st_size > 0
    except OSError:  # as SQLite will say, if it matters
        return False


def _let_go_at_exit(client: SqliteClient) -> None:
    """Stop the connection's thread when the main thread ends.

    aiosqlite's thread is not a daemon: a program that forgets to close would never exit.
    """
    if stop := thread_of(client):
        _files[client] = stop
    if not any(each.name == _AT_EXIT for each in threading.enumerate()):  # a fork has it no more
        threading.Thread(target=_let_all_go, name=_AT_EXIT, daemon=True).start()


def _let_all_go() -> None:
    threading.main_thread().join()
    for stop in [*_files.values()]:
        stop()


# What `tortoise makemigrations` compares the models with; no such file is ever opened.
SCHEMA = configuration(parse("sqlite:///schema.db"))
