"""What the migrations make is what the models declare, on every database."""

from __future__ import annotations

import pytest
from tortoise.context import require_context
from tortoise.exceptions import IntegrityError
from tortoise.migrations.autodetector import MigrationAutodetector

from storage.database import SCHEMA, Database
from tests.storage import sql


async def test_the_database_has_the_columns_keys_and_indexes_that_the_models_declare(
    database: Database,
) -> None:
    assert await sql.real(database) == sql.declared()


async def test_no_migration_is_missing(sqlite: Database) -> None:
    apps = require_context().apps
    assert apps
    assert await MigrationAutodetector(apps, SCHEMA["apps"]).changes() == []  # type: ignore[arg-type]  # Tortoise's own format


@pytest.mark.parametrize(
    "key", [(t, u) for t, table in sql.declared().items() for u in sorted(table.unique)]
)
async def test_a_unique_key_refuses_a_duplicate(database: Database, key: tuple[str, str]) -> None:
    table, columns = key
    insert = sql.insert(database, table, dict.fromkeys(columns.split(","), "1"))
    await sql.rows(database, insert)
    with pytest.raises(IntegrityError):
        await sql.rows(database, insert)


@pytest.mark.parametrize(
    "key",
    [("agent", "name"), ("binding", "at"), ("cursor", "name"), ("fact", "key"), ("inbox", "key")],
)
@pytest.mark.parametrize("other", ["KEY", "kéy", "key "])
async def test_keys_that_differ_in_case_accent_or_space_are_two_keys(
    database: Database, key: tuple[str, str], other: str
) -> None:
    table, column = key
    await sql.rows(database, sql.insert(database, table, {column: "key"}))
    await sql.rows(database, sql.insert(database, table, {column: other}))
    assert len(await sql.rows(database, f"SELECT id FROM {sql.quoted(database, table)}")) == 2  # noqa: S608  # a table of our own
