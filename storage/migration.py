"""Brings a database to this version's schema: one process at a time, after a copy."""

from __future__ import annotations

import logging
import os
import pkgutil
from pathlib import Path

from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.context import require_context
from tortoise.exceptions import OperationalError
from tortoise.migrations.constraints import UniqueConstraint
from tortoise.migrations.recorder import MigrationRecorder
from tortoise.migrations.schema_editor import BaseSchemaEditor, SqliteSchemaEditor
from tortoise.models import Model
from tortoise.transactions import in_transaction

import storage.migrations
from storage.drivers.internals import (
    BytewiseExecutor,
    ExactExecutor,
    Executor,
    columns_of,
    compare_exactly,
    indexes_of,
    keys_of,
    table_of,
    tables_of,
)
from storage.drivers.lock import only_one
from storage.drivers.pool import unlimited
from storage.drivers.url import DatabaseUrl
from storage.errors import DatabaseUnusable, NewerDatabase

log = logging.getLogger(__name__)

# Of all that a start does to a database. Each lock holds a connection of a pooler while its holder
# works on another one: with a second lock, those that start might all wait for that.
LOCK = "migrating"
_APP = "storage"
# Touches no row, but takes SQLite's write lock before the first read.
_TAKE_WRITE_LOCK = "UPDATE tortoise_migrations SET app = app WHERE id = -1"

# PostgreSQL's lock by name ends with its connection: this one ends with what it protects.
_BEGIN = {
    "sqlite": [_TAKE_WRITE_LOCK],
    "postgres": [
        "SET LOCAL statement_timeout = 0",
        "SET LOCAL idle_in_transaction_session_timeout = '5min'",
        "LOCK TABLE tortoise_migrations IN SHARE ROW EXCLUSIVE MODE",
        # Whoever waits for a table that is read for long, as by a backup, keeps all others waiting
        # who only read it.
        "SET LOCAL lock_timeout = '2s'",
    ],
}
_INDEXES = (
    'SELECT tables.name AS "table", group_concat(columns.name) AS columns'
    " FROM sqlite_master tables, pragma_index_list(tables.name) indexes,"
    " pragma_index_info(indexes.name) columns"
    " WHERE tables.type = 'table' GROUP BY tables.name, indexes.name"
)


async def migrate(connection: BaseDBAsyncClient, url: DatabaseUrl) -> list[str]:
    """Apply what is missing and return the names of the migrations applied.

    Tortoise's own migrate has no lock: of four processes that start at once three crash.

    Raises:
        NewerDatabase: a later version changed the database so that this one cannot use it.
    """
    applied = await _applied(connection)
    if not _missing(applied):
        await _check_later(connection, applied)
        return []
    async with only_one(connection, url, LOCK):
        applied = await _applied(connection)
        missing = _missing(applied)
        if missing and applied and url.file:
            await _copy(connection, url.file, missing[0])
        if missing:
            with unlimited(connection):
                await _apply(connection)
    log.info("database migrated", extra={"database": url.shown, "migrations": missing})
    return missing


async def condition(connection: BaseDBAsyncClient) -> tuple[list[str], list[str]]:
    """The migrations that the database has, and those that it lacks; nothing is changed.

    Raises:
        NewerDatabase: as for `migrate`.
    """
    applied = await _applied(connection)
    missing = _missing(applied)
    await _check_later(connection, applied)
    if applied:
        async with in_transaction(connection.connection_name) as transaction:
            await _execute(transaction, _TAKE_WRITE_LOCK)
    return sorted(applied), missing


def known() -> list[str]:
    """The migrations that this version has, oldest first."""
    return sorted(module.name for module in pkgutil.iter_modules(storage.migrations.__path__))


def _missing(applied: set[str]) -> list[str]:
    missing = [name for name in known() if name not in applied]
    if missing and (unknown := _unknown(applied)):
        raise _newer(unknown[-1])
    return missing


def _unknown(applied: set[str]) -> list[str]:
    return sorted(applied.difference(known()))


def _newer(newest: str) -> NewerDatabase:
    return NewerDatabase(
        f"The database was written by a later version of Moorings (it has {newest}): "
        "install that version or a newer one, or use another DATABASE_URL."
    )


async def _check_later(connection: BaseDBAsyncClient, applied: set[str]) -> None:
    """A version works on the schema of the next one, as in a deploy: that has all its columns.

    Raises:
        NewerDatabase: one is not there any more.
    """
    if not (unknown := _unknown(applied)):
        return
    there = await tables_of(connection)
    if not all(columns_of(each) <= there.get(table_of(each), set()) for each in _models()):
        raise _newer(unknown[-1])
    log.warning("database of a later version", extra={"newest": unknown[-1]})


async def _applied(connection: BaseDBAsyncClient) -> set[str]:
    try:
        rows = await _execute(connection, "SELECT name FROM tortoise_migrations")
    except OperationalError as error:
        if "tortoise_migrations" in str(error):  # no such table: a database without any yet
            return set()
        raise
    return {row["name"] for row in rows}


async def _apply(connection: BaseDBAsyncClient) -> None:
    """Change the schema and record it in one transaction, where the database can.

    A new database is made as it is to be, without a step between. MySQL cannot take anything back:
    each of its statements stands when it is done, and what was killed in between, in a new
    database too, is taken up by the migrations, which leave out what they find.
    """
    apps = {
        _APP: {
            "migrations": storage.migrations.__name__,
            "default_connection": connection.connection_name,
        }
    }
    if not connection.capabilities.can_rollback_ddl:
        await _check_tables(connection)
        exact = ExactExecutor(connection, apps)
        exact.collation = await compare_exactly(connection)
        if _declared().isdisjoint(await tables_of(connection)):
            await exact.begin()
            await exact.make(_models(), known())
        else:
            await exact.migrate()
        return
    await Executor(connection, apps).begin()
    async with in_transaction(connection.connection_name) as transaction:
        for statement in _BEGIN[transaction.capabilities.dialect]:
            await _execute(transaction, statement)
        is_file = transaction.capabilities.dialect == "sqlite"
        executor = (Executor if is_file else BytewiseExecutor)(transaction, apps)
        executor.recorder = _Recorder(transaction)
        if not await _applied(transaction):
            await executor.make(_models(), known())
            return
        await executor.migrate()
        if is_file:
            await _make_keys_and_indexes(transaction)


async def _check_tables(connection: BaseDBAsyncClient) -> None:
    """Refuse tables that are no beginning of a migration of ours, before one begins.

    Raises:
        DatabaseUnusable: there are tables of our names.
    """
    tables = await tables_of(connection)
    if "tortoise_migrations" not in tables and not _declared().isdisjoint(tables):
        raise DatabaseUnusable(
            "The database has tables of another program: use an empty database, "
            "or restore a backup."
        )


class _Recorder(MigrationRecorder):
    """Tortoise's, inside of a transaction: SQLite ends one when it is given a script."""

    async def ensure_schema(self, schema_editor: BaseSchemaEditor) -> None:
        """It is there already."""


async def _make_keys_and_indexes(connection: BaseDBAsyncClient) -> None:
    """Make again what is lost when Tortoise rebuilds a table of SQLite to alter a column.

    The new table has none of the old one's indexes, nor its unique keys of several columns.
    """
    there = {(row["table"], row["columns"]) for row in await _execute(connection, _INDEXES)}
    editor = SqliteSchemaEditor(connection)
    for model in _models():
        for fields in keys_of(model):
            if (table_of(model), ",".join(fields)) not in there:
                await editor.add_constraint(model, UniqueConstraint(fields=fields))
        for index in indexes_of(model):
            if (table_of(model), ",".join(index.fields)) not in there:
                await editor.add_index(model, index)


def _models() -> list[type[Model]]:
    apps = require_context().apps
    return list(apps.get_models_iterable()) if apps else []


def _declared() -> set[str]:
    return {table_of(model) for model in _models()}


async def _copy(connection: BaseDBAsyncClient, file: Path, before: str) -> None:
    """Keep the file as it is now; a copy that is there already is older, and better."""
    copy = file.with_name(f"{file.name}-before-{before}")
    if copy.exists():
        return
    half = file.with_name(f"{copy.name}.part")
    half.unlink(missing_ok=True)
    await _execute(connection, "VACUUM INTO ?", str(half))
    with half.open("rb") as written:
        os.fsync(written.fileno())
    half.rename(copy)


async def _execute(
    connection: BaseDBAsyncClient, statement: str, *values: str
) -> list[dict[str, str]]:
    return await connection.execute_query_dict(statement, list(values))  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]  # Tortoise says list and dict, not of what
