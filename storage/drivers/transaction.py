"""One verb, one transaction: begun with a write, never torn by a cancelled caller, retried."""

from __future__ import annotations

import asyncio
import random
import re
import sqlite3
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack
from functools import partial, wraps
from typing import Any, ParamSpec, TypeVar

from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt, wait_random_exponential
from tortoise.exceptions import (
    DBConnectionError,
    IntegrityError,
    OperationalError,
    TransactionManagementError,
)
from tortoise.transactions import in_transaction

from storage.drivers.session import Errors, driver_errors
from storage.errors import DatabaseBusy, DatabaseUnusable, StorageError, Unstorable

P = ParamSpec("P")
R = TypeVar("R")

# Deadlock, serialization failure and lock time-out, as PostgreSQL and MySQL number them; 1020 is
# a row that changed since it was read, as newer MariaDB reports it; 1305 a savepoint that went with
# the transaction, which MySQL rolls back at a deadlock.
_CONFLICTS = {"40001", "40P01", "55P03", 1020, 1205, 1213, 1305}
_LOCK_TIMEOUT = "55P03"  # of PostgreSQL, which only a migration sets
# A value that is out of range, has characters that it cannot have, or is too long, as MySQL
# numbers them; PostgreSQL has a class of its own for them.
_UNSTORABLE = {1264, 1366, 1406}
_UNSTORABLE_CLASS = "22"
_FIRST_WAIT_SECONDS = 0.02
# Touches no row, but takes SQLite's write lock: what BEGIN IMMEDIATE does. A transaction that
# reads first would be refused at its first write, at once, if another process wrote in between.
_TAKE_WRITE_LOCK = "UPDATE conversation SET id = id WHERE id = -1"


def database_errors() -> Errors:
    """What a database, its driver and Tortoise raise."""
    return (
        OperationalError,
        TransactionManagementError,
        sqlite3.DatabaseError,
        *driver_errors("asyncpg", "PostgresError"),
        *driver_errors("asyncmy.errors", "MySQLError"),
        *_unreachable(),
    )


def _unreachable() -> Errors:
    own = driver_errors(
        "asyncpg", "InterfaceError", "InternalClientError", "PostgresConnectionError"
    )
    return (DBConnectionError, OSError, *own)


def transaction(verb: Callable[P, Coroutine[Any, Any, R]]) -> Callable[P, Coroutine[Any, Any, R]]:  # type: ignore[explicit-any]  # a coroutine's first two parameters are always Any
    """Run the verb in a transaction of its own; a conflict with another one runs it again.

    A caller that is cancelled meanwhile gets its CancelledError after the transaction ended:
    Tortoise leaks SQLite's lock, or a pool's connection, when a transaction is torn.

    All of it stands when this returns. After DatabaseBusy it stands as a whole or not at all, and
    nobody knows which: the answer to COMMIT may be what was lost. Whoever tries again may rely on
    this: what has a key or a place of its own is stored once (`inbox.add` and `facts.add` know the
    key, `turns.end` a turn that has ended, `steps.record` looks when it is told that it is tried
    again), what sets a value sets it again, and under a lease that was given back the second try
    raises LeaseLost. A claim is not to be repeated, but begun anew: what it leased without knowing
    comes back when the lease lapses.

    Raises:
        DatabaseBusy, DatabaseUnusable: instead of the driver's own errors.
        IntegrityError: as it is; the verb knows which key it means.
    """

    return _in_one(verb, takes_lock=True)


def write_first(verb: Callable[P, Coroutine[Any, Any, R]]) -> Callable[P, Coroutine[Any, Any, R]]:  # type: ignore[explicit-any]  # as above
    """As `transaction`, for a verb whose first statement is a write: that takes SQLite's lock."""
    return _in_one(verb, takes_lock=False)


def _in_one(  # type: ignore[explicit-any]  # as above
    verb: Callable[P, Coroutine[Any, Any, R]], *, takes_lock: bool
) -> Callable[P, Coroutine[Any, Any, R]]:
    @wraps(verb)
    async def in_one(*args: P.args, **kwargs: P.kwargs) -> R:
        work = partial(_once, partial(verb, *args, **kwargs), takes_lock=takes_lock)
        return await to_the_end(asyncio.get_running_loop().create_task(retried(work)))

    return in_one


def reading(verb: Callable[P, Awaitable[R]]) -> Callable[P, Awaitable[R]]:
    """Give a verb that only reads the same errors as a transaction."""

    @wraps(verb)
    async def translated(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return await verb(*args, **kwargs)
        except database_errors() as error:
            raise translate(error) from error

    return translated


async def to_the_end(work: asyncio.Future[R]) -> R:
    """Its result. A caller that is cancelled meanwhile is told after the work has ended."""
    try:
        await _end(work)  # a shield would report what it raises after that, on 3.14
    except asyncio.CancelledError:
        while not work.done():
            try:
                await _end(work)
            except asyncio.CancelledError:  # the first one is raised below
                continue
        if not work.cancelled():
            work.exception()  # looked at, so that asyncio does not report it as forgotten
        raise
    return work.result()


async def _end(work: asyncio.Future[R]) -> None:
    """Return when it has ended; `asyncio.wait` is made for many, and takes twice as long."""
    ended = asyncio.get_running_loop().create_future()

    def tell(_: asyncio.Future[R]) -> None:
        if not ended.done():
            ended.set_result(None)

    work.add_done_callback(tell)
    try:
        await ended
    finally:
        work.remove_done_callback(tell)


async def retried(once: Callable[[], Awaitable[R]]) -> R:
    """What comes of it, tried again after a conflict; raises as `transaction` does."""
    try:
        return await _again(once)
    except IntegrityError:
        raise
    except database_errors() as error:
        raise translate(error) from error


async def _again(once: Callable[[], Awaitable[R]]) -> R:
    """Conflicts are rare, and what tries again is not free: the first try goes without it."""
    try:
        return await once()
    except database_errors() as error:
        if not _is_conflict(error):
            raise
    return await _after_a_conflict(once)


async def _after_a_conflict(once: Callable[[], Awaitable[R]]) -> R:
    retrying = AsyncRetrying(
        retry=retry_if_exception(_is_conflict),
        stop=stop_after_attempt(7),
        wait=wait_random_exponential(multiplier=0.02, max=1),
        reraise=True,
    )
    await asyncio.sleep(random.uniform(0, _FIRST_WAIT_SECONDS))  # noqa: S311  # no secret
    return await retrying(once)


async def _once(verb: Callable[[], Awaitable[R]], *, takes_lock: bool) -> R:
    context = in_transaction()
    async with AsyncExitStack() as stack:
        try:
            connection = await stack.enter_async_context(context)
        except database_errors():
            # BEGIN failed, as on a dead connection: Tortoise would keep that one from the pool.
            if hasattr(context, "token"):
                await context.__aexit__(TransactionManagementError, None, None)
            raise
        if takes_lock and connection.capabilities.dialect == "sqlite":
            await connection.execute_query(_TAKE_WRITE_LOCK)  # pyright: ignore[reportUnknownMemberType]  # rows of dict, not of what
        try:
            return await verb()
        except TransactionManagementError as error:
            # PostgreSQL's refusal to write, as a standby: after this one nothing is rolled back.
            raise OperationalError(*error.args) from error


def _is_conflict(error: BaseException) -> bool:
    return not _CONFLICTS.isdisjoint(_codes(error))


def _is_unstorable(error: BaseException) -> bool:
    state, *number = _codes(error)
    return str(state).startswith(_UNSTORABLE_CLASS) or not _UNSTORABLE.isdisjoint(number)


def _codes(error: BaseException) -> tuple[object, ...]:
    """MySQL has one sqlstate for most of its errors: its numbers are the first argument."""
    cause = _driver_error(error)
    return (getattr(cause, "sqlstate", None), *cause.args[:1])


def _driver_error(error: BaseException) -> BaseException:
    """Tortoise wraps what drivers raise, with the original as first argument, or as context."""
    inner = error.args[0] if error.args else None
    if isinstance(error, DBConnectionError):
        inner = error.__context__
    return inner if isinstance(inner, BaseException) else error


def translate(error: BaseException) -> StorageError:
    """Say what happened to the database, and what to do, in one sentence."""
    if _is_unstorable(error):  # in words that may be somebody's message
        return Unstorable(_REFUSED)
    if (contended := _is_conflict(error)) or isinstance(error, TimeoutError):
        why = _IN_USE if _LOCK_TIMEOUT in _codes(error) else _CONTENDED
        return DatabaseBusy(why if contended else _NO_ANSWER)
    cause = _driver_error(error)
    words, name = str(cause).lower(), getattr(cause, "sqlite_errorname", "")
    for sign, (kind, sentence) in _SENTENCES.items():
        if re.search(sign, f"{words} {name}"):
            return kind(sentence)
    if isinstance(error, _unreachable()):
        return DatabaseBusy(_UNREACHED)
    return DatabaseUnusable(f"The database refused a statement ({type(error).__name__}): {words}.")


_REFUSED = "The database cannot hold this as it is: a value is too long, or has wrong characters."
_CONTENDED = "Too many write to the same rows of the database at once; it is tried again."
_IN_USE = "A table of the database is in use for long, as by a backup; it is tried again."
_NO_ANSWER = "The database server gives no answer in time; check it, and the network between."
_UNREACHED = "The database server cannot be reached; check that it runs."
_SENTENCES: dict[str, tuple[type[StorageError], str]] = {
    "is locked": (
        DatabaseBusy,
        "The database is locked by another process; close what keeps it open for writing.",
    ),
    "is full|SQLITE_IOERR_SHMSIZE": (  # no room for the file with -shm
        DatabaseUnusable,
        "The disk is full: nothing more can be stored; free some space and start again.",
    ),
    "readonly": (
        DatabaseUnusable,
        "The database is read-only: make the file and its folder writable for this user.",
    ),
    "unable to open": (
        DatabaseUnusable,
        "The database file cannot be opened: check that its folder exists and is writable.",
    ),
    "not a database": (
        DatabaseUnusable,
        "The database file is damaged or not a database: restore a backup, or move it away.",
    ),
    "malformed": (
        DatabaseUnusable,
        "The database file is damaged: restore a backup, or move it away to start anew.",
    ),
    "disk i/o error": (
        DatabaseUnusable,
        "The disk failed while the database was used: check the disk, then start again.",
    ),
    'prepared statement ".*" (already exists|does not exist)': (
        DatabaseBusy,
        "A connection pooler stands before the database now: start the program again, and write "
        "no pgbouncer=false in DATABASE_URL.",
    ),
    "already exists": (
        DatabaseUnusable,
        "The database has tables of another program, or of a migration that was interrupted: "
        "use an empty database, or restore a backup.",
    ),
    'database ".*" does not exist|unknown database': (
        DatabaseUnusable,
        "The server has no such database: create it, or correct DATABASE_URL.",
    ),
    "no schema has been selected": (
        DatabaseUnusable,
        "The database has no such schema: create it (CREATE SCHEMA …), or correct DATABASE_URL.",
    ),
    'role ".*" does not exist|authentication failed|no postgresql user|access denied': (
        DatabaseUnusable,
        "The database server refuses this user or password: correct DATABASE_URL.",
    ),
    "query_wait_timeout": (
        DatabaseBusy,
        "The connection pooler had no connection to the database server free in time; it is tried "
        "again. Where that happens often, allow it more (default_pool_size).",
    ),
    "too many (clients|connections)|connection slots|no more connections|max ?client": (
        DatabaseBusy,
        "The database server has no connection left: allow more there, or set ?maxsize= lower.",
    ),
    "read[- ]only (transaction|option|mode)": (
        DatabaseBusy,
        "The database server is read-only just now, as after a failover; it is tried again.",
    ),
    "statement timeout": (DatabaseBusy, _NO_ANSWER),
    "can't connect": (DatabaseBusy, _UNREACHED),
    "terminating connection|lost connection|gone away|not connected|connection was killed": (
        DatabaseBusy,
        "The connection to the database server was lost; it is tried again.",
    ),
    "starting up|shutting down|shutdown in progress|not yet accepting|recovery mode": (
        DatabaseBusy,
        "The database server is being started or stopped; it is tried again.",
    ),
}
