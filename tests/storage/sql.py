"""The database behind the verbs: plain statements, and what the schema really is."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import cache
from typing import Any

from tortoise import Tortoise

from storage import derived, models, side_models
from storage.database import Database
from storage.drivers.internals import models_in

# What waits for a row that somebody else has locked; SQLite has one writer at a time.
BLOCKED = {
    "postgres": "SELECT 1 FROM pg_stat_activity WHERE datname = current_database()"
    " AND wait_event_type = 'Lock'",
    "mysql": "SELECT 1 FROM information_schema.innodb_trx JOIN information_schema.processlist"
    " ON id = trx_mysql_thread_id WHERE db = database() AND trx_state = 'LOCK WAIT'",
}
_COLUMNS = {
    "sqlite": """
        SELECT tables.name AS owner, columns.name AS name, columns."notnull" AS is_required
        FROM sqlite_master tables, pragma_table_info(tables.name) columns
        WHERE tables.type = 'table' AND NOT columns.pk""",
    "postgres": """
        SELECT table_name AS owner, column_name AS name, is_nullable = 'NO' AS is_required
        FROM information_schema.columns WHERE table_schema = 'public' AND column_name <> 'id'""",
    "mysql": """
        SELECT table_name AS owner, column_name AS name, is_nullable = 'NO' AS is_required
        FROM information_schema.columns WHERE table_schema = database() AND column_name <> 'id'""",
}
_INDEXES = {
    "sqlite": """
        SELECT tables.name AS owner, indexes.name AS name, indexes."unique" AS is_unique,
            group_concat(columns.name) AS columns
        FROM sqlite_master tables, pragma_index_list(tables.name) indexes,
            pragma_index_info(indexes.name) columns
        WHERE tables.type = 'table' GROUP BY 1, 2, 3""",
    "postgres": """
        SELECT tables.relname AS owner, indexes.relname AS name, indisunique AS is_unique,
            string_agg(attname, ',' ORDER BY place) AS columns
        FROM pg_index JOIN pg_class tables ON tables.oid = indrelid
        JOIN pg_class indexes ON indexes.oid = indexrelid
        JOIN pg_namespace ON pg_namespace.oid = tables.relnamespace
        CROSS JOIN LATERAL unnest(indkey) WITH ORDINALITY AS keys(number, place)
        JOIN pg_attribute ON attrelid = indrelid AND attnum = number
        WHERE nspname = 'public' AND NOT indisprimary GROUP BY 1, 2, 3""",
    "mysql": """
        SELECT table_name AS owner, index_name AS name, non_unique = 0 AS is_unique,
            group_concat(column_name ORDER BY seq_in_index) AS columns
        FROM information_schema.statistics
        WHERE table_schema = database() AND index_name <> 'PRIMARY' AND index_type <> 'FULLTEXT'
        GROUP BY 1, 2, 3""",
}


@dataclass(frozen=True)
class Table:
    """Columns with whether they are required, unique keys, and other indexes by name."""

    columns: frozenset[tuple[str, bool]]
    unique: frozenset[str]
    indexes: frozenset[tuple[str, str]]


async def rows(database: Database, statement: str) -> list[dict[str, object]]:
    """What a plain statement returns."""
    return await Tortoise.get_connection(database.url.dialect).execute_query_dict(statement)


async def somebody_waits(database: Database) -> None:
    """Return once somebody waits for a lock of the server."""
    waiting = {
        "postgres": "SELECT 1 AS it FROM pg_locks WHERE NOT granted",
        "mysql": "SELECT 1 AS it FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'",
    }
    while not await rows(database, waiting[database.url.dialect]):  # noqa: ASYNC110  # nobody tells
        await asyncio.sleep(0.2)  # MariaDB tells it anew only so often


def quoted(database: Database, table: str) -> str:
    """A table's name, for plain statements."""
    return f"`{table}`" if database.url.dialect == "mysql" else f'"{table}"'


async def real(database: Database) -> dict[str, Table]:
    """The tables that the database has."""
    columns = await rows(database, _COLUMNS[database.url.dialect])
    indexes = await rows(database, _INDEXES[database.url.dialect])
    return {
        table: Table(
            columns=frozenset(
                (str(c["name"]), bool(c["is_required"])) for c in columns if c["owner"] == table
            ),
            unique=frozenset(
                str(i["columns"]) for i in indexes if i["owner"] == table and i["is_unique"]
            ),
            indexes=frozenset(
                (str(i["name"]), str(i["columns"]))
                for i in indexes
                if i["owner"] == table and not i["is_unique"]
            ),
        )
        for table in declared()
    }


@cache
def declared() -> dict[str, Table]:
    """The tables that the models declare."""
    found = [model.describe() for model in models_in(models, side_models, derived)]
    return {
        model["table"]: Table(
            columns=frozenset((f["db_column"], not f["nullable"]) for f in model["data_fields"]),
            unique=frozenset(
                [f["db_column"] for f in model["data_fields"] if f["unique"]]
                + [",".join(key) for key in model["unique_together"]]
            ),
            indexes=frozenset((i["name"], ",".join(i["fields"])) for i in model["indexes"]),
        )
        for model in found
    }


def insert(database: Database, table: str, given: dict[str, str]) -> str:
    """The statement that adds a row with these values, and something in what else it requires."""
    required = [name for name, is_required in declared()[table].columns if is_required]
    filler = {name: "2026-03-01" if name.endswith("at") else "1" for name in required}
    values = filler | given
    quote = "`" if database.url.dialect == "mysql" else '"'
    names = ", ".join(f"{quote}{name}{quote}" for name in values)
    literals = ", ".join(f"'{value}'" for value in values.values())
    return f"INSERT INTO {quoted(database, table)} ({names}) VALUES ({literals})"  # noqa: S608  # a table of our own


async def done_or_blocked(  # type: ignore[explicit-any]  # whatever they return
    database: Database, *tasks: asyncio.Task[Any]
) -> None:
    """Wait until each of these has ended, or waits for a row that somebody else has locked."""
    statement = BLOCKED.get(database.url.dialect)
    while statement and (undone := [task for task in tasks if not task.done()]):
        if len(await rows(database, statement)) >= len(undone):
            return
        await asyncio.sleep(0.2)  # MariaDB tells the same again to who asks within a tenth
