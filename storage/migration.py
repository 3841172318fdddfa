"""Brings a database to this version's schema: one process at a time, after a copy."""

from __future__ import annotations

import asyncio
import logging
import pkgutil
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from filelock import FileLock
from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.exceptions import OperationalError
from tortoise.migrations.executor import MigrationExecutor

import storage.migrations
from storage.errors import NewerDatabase
from storage.owners import try_lock
from storage.url import DatabaseUrl

log = logging.getLogger(__name__)

_APP = "storage"
_LOCK_POLL_SECONDS = 0.05
_SERVER_LOCKS = {
    "postgres": ("SELECT pg_advisory_lock(1836019570)", "SELECT pg_advisory_unlock(1836019570)"),
    "mysql": ("SELECT GET_LOCK('moorings-migrate', -1)", "SELECT RELEASE_LOCK('moorings-migrate')"),
}


async def migrate(connection: BaseDBAsyncClient, url: DatabaseUrl) -> list[str]:
    """Apply what is missing and return the names of the migrations applied.

    Tortoise's own migrate has no lock: of four processes that start at once three crash.

    Raises:
        NewerDatabase: the database has migrations that this version does not know.
    """
    if not _missing(await _applied(connection)):
        return []
    async with _only_one(connection, url):
        applied = await _applied(connection)
        missing = _missing(applied)
        if missing and applied and url.file:
            await _copy(connection, url.file, missing[0])
        apps = {
            _APP: {
                "migrations": storage.migrations.__name__,
                "default_connection": connection.connection_name,
            }
        }
        await MigrationExecutor(connection, apps).migrate()
    log.info("database migrated", extra={"database": url.shown, "migrations": missing})
    return missing


def known() -> list[str]:
    """The migrations that this version has, oldest first."""
    return sorted(module.name for module in pkgutil.iter_modules(storage.migrations.__path__))


def _missing(applied: set[str]) -> list[str]:
    if unknown := sorted(applied.difference(known())):
        raise NewerDatabase(
            f"The database was written by a later version of Moorings (it has {unknown[-1]}): "
            "install that version or a newer one, or use another DATABASE_URL."
        )
    return [name for name in known() if name not in applied]


async def _applied(connection: BaseDBAsyncClient) -> set[str]:
    try:
        rows = await connection.execute_query_dict(
            f"SELECT name FROM tortoise_migrations WHERE app = '{_APP}'"  # noqa: S608  # a constant
        )
    except OperationalError as error:
        if "tortoise_migrations" in str(error):  # no such table: a database without any yet
            return set()
        raise
    return {row["name"] for row in rows}


@asynccontextmanager
async def _only_one(connection: BaseDBAsyncClient, url: DatabaseUrl) -> AsyncGenerator[None]:
    """Hold a lock that the operating system or the server frees if this process dies."""
    if url.file:
        lock = FileLock(f"{url.file}-migrating.lock")
        while not try_lock(lock):
            await asyncio.sleep(_LOCK_POLL_SECONDS)
        try:
            yield
        finally:
            lock.release()
        return
    take, free = _SERVER_LOCKS[url.dialect]
    async with connection.acquire_connection() as raw:
        execute = raw.execute if url.dialect == "postgres" else raw.query
        await execute(take)
        try:
            yield
        finally:
            await execute(free)


async def _copy(connection: BaseDBAsyncClient, file: Path, before: str) -> None:
    """Keep the file as it is now; a copy that is there already is older, and better."""
    copy = file.with_name(f"{file.name}-before-{before}")
    if not copy.exists():
        await connection.execute_query("VACUUM INTO ?", [str(copy)])
