"""Databases as earlier versions left them, with rows in every table that they had."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tortoise.context import TortoiseContext
from tortoise.migrations.executor import MigrationTarget

from storage.database import Database, configuration
from storage.drivers.connecting import connect
from storage.drivers.internals import ExactExecutor, Executor
from storage.drivers.url import parse
from tests.storage import sql

Content = dict[str, list[dict[str, str]]]

ROWS = 3  # in each table
_DETAILS = {
    "sqlite": """
        SELECT tables.name AS owner, columns.name AS name, columns.type AS kind,
            columns."notnull" AS is_required, columns.dflt_value AS filler
        FROM sqlite_master tables, pragma_table_info(tables.name) columns
        WHERE tables.type = 'table'""",
    "postgres": """
        SELECT table_name AS owner, column_name AS name, is_nullable, column_default AS filler,
            data_type AS kind, character_maximum_length AS longest
        FROM information_schema.columns WHERE table_schema = 'public'""",
    "mysql": """
        SELECT table_name AS owner, column_name AS name, is_nullable, column_default AS filler,
            column_type AS kind, CASE column_type WHEN 'longtext' THEN NULL  -- or JSON, no key
            ELSE collation_name END AS collated
        FROM information_schema.columns WHERE table_schema = database()""",
}
_TABLES = {
    "sqlite": """
        SELECT type, name, CASE type WHEN 'index' THEN sql
            ELSE sql LIKE '%PRIMARY KEY AUTOINCREMENT%' END AS made FROM sqlite_master""",
    "postgres": """
        SELECT relname AS owner, obj_description(pg_class.oid) AS about,
            string_agg(conname || pg_get_constraintdef(pg_constraint.oid), ',' ORDER BY conname)
        FROM pg_class LEFT JOIN pg_constraint ON conrelid = pg_class.oid
        WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' GROUP BY 1, 2""",
    "mysql": """
        SELECT tables.table_name AS owner, engine, table_collation AS collated,
            table_comment AS about, constraint_name AS name, constraint_type AS kind
        FROM information_schema.tables JOIN information_schema.table_constraints
            USING (table_schema, table_name) WHERE table_schema = database()""",
}
# All that is told of each index: on PostgreSQL also by which operators it is ordered.
_INDEXES = sql._INDEXES | {
    "postgres": "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'"
}
_APPLIED = "SELECT app, name FROM tortoise_migrations"


async def make(url: str, newest: str) -> Content:
    """Give an empty database the schema as of this migration, and rows; returns those."""
    async with opened(url) as (database, context):
        name = database.url.dialect
        connection = context.connections.get(name)
        transactional = connection.capabilities.can_rollback_ddl
        executor = Executor if transactional else ExactExecutor
        apps = {"storage": {"migrations": "storage.migrations", "default_connection": name}}
        await executor(connection, apps).migrate(targets=[MigrationTarget("storage", newest)])
        columns = await _required(database)
        for table, names in columns.items():
            for number in range(1, ROWS + 1):
                await sql.rows(database, _insert(database, table, names, number))
        return await _content(database, columns)


async def content(url: str, of: Content) -> Content:
    """What is there now of the tables and columns that `of` has."""
    async with opened(url) as (database, _):
        return await _content(database, {table: list(rows[0]) for table, rows in of.items()})


async def schema(url: str) -> set[tuple[tuple[str, str], ...]]:
    """Every table, column, index and constraint with all that is told of it, and the records."""
    async with opened(url) as (database, _):
        columns = await sql.rows(database, _DETAILS[database.url.dialect])
        indexes = await sql.rows(database, _INDEXES[database.url.dialect])
        tables = await sql.rows(database, _TABLES[database.url.dialect])
        applied = await sql.rows(database, _APPLIED)
    return {
        tuple(sorted((name, str(value)) for name, value in row.items()))
        for row in (*columns, *indexes, *tables, *applied)
    }


async def clear(url: str) -> None:
    """Drop every table; one that is an index of words takes others with it."""
    async with opened(url) as (database, _):
        for table in await _tables(database):
            await sql.rows(database, f"DROP TABLE IF EXISTS {sql.quoted(database, table)}")


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[tuple[Database, TortoiseContext]]:
    """A database that is not migrated."""
    parsed = parse(url)
    async with TortoiseContext() as context:
        await context.init(config=configuration(parsed))
        if parsed.seconds:
            await connect(context.connections.get(parsed.dialect), parsed)
        if parsed.file:
            parsed.file.touch()  # a Database knows the file that it has opened
        yield Database(parsed, context), context


async def _required(database: Database) -> dict[str, list[str]]:
    """The columns that need a value, by table."""
    rows = await sql.rows(database, sql._COLUMNS[database.url.dialect])
    return {
        table: [str(row["name"]) for row in rows if row["owner"] == table and row["is_required"]]
        for table in await _tables(database) - {"tortoise_migrations"}
    }


async def _tables(database: Database) -> set[str]:
    rows = await sql.rows(database, sql._COLUMNS[database.url.dialect])
    return {str(row["owner"]) for row in rows} - {"sqlite_sequence"}


def _insert(database: Database, table: str, names: list[str], number: int) -> str:
    values = [_value(name, number) for name in names]
    columns = ", ".join(sql.quoted(database, name) for name in names)
    literals = ", ".join(f"'{value}'" for value in values)
    return f"INSERT INTO {sql.quoted(database, table)} ({columns}) VALUES ({literals})"  # noqa: S608  # a table of our own


def _value(name: str, number: int) -> str:
    if name.startswith("is_"):
        return "1"
    return f"2026-03-0{number}" if name.endswith("at") else str(number)


async def _content(database: Database, columns: dict[str, list[str]]) -> Content:
    found: Content = {}
    for table, names in columns.items():
        quoted = ", ".join(sql.quoted(database, name) for name in names)
        statement = f"SELECT {quoted} FROM {sql.quoted(database, table)} ORDER BY id"  # noqa: S608  # as above
        rows = await sql.rows(database, statement)
        found[table] = [{name: str(value) for name, value in row.items()} for row in rows]
    return found
