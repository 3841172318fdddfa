"""An older database is brought up to date with all that is in it, whatever happens meanwhile."""

from __future__ import annotations

import importlib
import sqlite3
from contextlib import closing
from datetime import datetime
from pathlib import Path

import pytest
from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.migrations.operations import (
    AddConstraint,
    AddField,
    AddIndex,
    CreateModel,
    RemoveIndex,
)

import storage
from storage import migration
from storage.database import Database, examine, open_database
from storage.drivers import internals
from storage.errors import DatabaseUnusable, NewerDatabase
from tests.databases import execute
from tests.forked import ROOT
from tests.storage import given, processes, sql

OPEN = """
import asyncio, sys
from storage.database import open_database
from tests.storage import sql

async def main():
    database = await open_database(sys.argv[1])
    real, declared = await sql.real(database), sql.declared()
    assert real == declared, set(real.items()) ^ set(declared.items())
    await database.close()

asyncio.run(main())
"""
# Killed as `kill -9` would, before the statement that begins with these words for the Nth time.
OPEN_AND_DIE = """
import asyncio, logging, os, signal, sys
from storage.database import open_database

class Death(logging.Handler):
    left = int(sys.argv[3])

    def emit(self, record):
        if str(record.args or record.msg).find(sys.argv[2]) >= 0:
            self.left -= 1
            if self.left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

log = logging.getLogger("tortoise.db_client")
log.setLevel(logging.DEBUG)
log.addHandler(Death())
asyncio.run(open_database(sys.argv[1]))
"""
_LATER = (
    "INSERT INTO tortoise_migrations (app, name, applied_at)"
    " SELECT app, '9999_later', applied_at FROM tortoise_migrations WHERE name = '0001_initial'"
)


@pytest.fixture
async def with_a_history(sqlite: Database, now: datetime) -> None:
    """A closed file of this version, with 60 messages received in three conversations."""
    for room in ("a", "b", "c"):
        where = await given.conversation(now, room=room)
        for number in range(20):
            await given.received(where, f"{room}{number}", now, position=number)
        lease = await given.leased(where, now)
        turn = await given.opened(lease, now)
        await given.answered(lease, turn, now)
    await sqlite.close()


def _content(file: Path) -> dict[str, list[tuple[object, ...]]]:
    """Every row that this version's tables have, without what a later version added."""
    with closing(sqlite3.connect(file)) as connection:
        return {
            table: connection.execute(
                f"SELECT id, {', '.join(sorted(name for name, _ in declared.columns))}"  # noqa: S608  # a table of our own
                f' FROM "{table}" ORDER BY id'
            ).fetchall()
            for table, declared in sql.declared().items()
        }


def _columns(file: Path) -> list[str]:
    """The columns of the table that the later version changes."""
    with closing(sqlite3.connect(file)) as connection:
        return [row[1] for row in connection.execute("PRAGMA table_info(conversation)")]


def _file(url: str) -> Path:
    return Path(url.removeprefix("sqlite://"))


def _copy_of(url: str, before: str) -> Path:
    return _file(url).with_name(f"{_file(url).name}-before-{before}")


@pytest.fixture
def later_migrations(later_version: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The migrations of the later version, in this process; returns the name of the newest."""
    monkeypatch.syspath_prepend(str(later_version))
    monkeypatch.setattr(storage, "migrations", importlib.import_module("later_migrations"))
    return migration.known()[-1]


@pytest.mark.parametrize("name", migration.known())
def test_a_migration_only_adds(name: str) -> None:
    """The version before works on the schema after; rows are none of its business.

    An index may be made anew.
    """
    operations = importlib.import_module(f"storage.migrations.{name}").Migration.operations
    made = {each.index.name for each in operations if isinstance(each, AddIndex)}
    gone = [each for each in operations if isinstance(each, RemoveIndex)]
    assert {each.name for each in gone} <= made
    added = {type(each) for each in operations if each not in gone}
    assert added <= {CreateModel, AddField, AddIndex, AddConstraint}


@pytest.mark.usefixtures("with_a_history")
async def test_a_database_of_this_version_is_left_as_it_is(sqlite_url: str) -> None:
    before = _file(sqlite_url).read_bytes()
    await (await open_database(sqlite_url)).close()
    assert _file(sqlite_url).read_bytes() == before
    assert not list(_file(sqlite_url).parent.glob("*-before-*"))


@pytest.mark.usefixtures("with_a_history", "later_migrations")
async def test_a_rebuilt_table_loses_no_row_key_or_index(sqlite_url: str) -> None:
    before = _content(_file(sqlite_url))
    assert len(before["inbox"]) == 60
    database = await open_database(sqlite_url)
    real = await sql.real(database)
    await database.close()
    assert _content(_file(sqlite_url)) == before
    assert ("note", False) in real["conversation"].columns
    for table, declared in sql.declared().items():
        assert (real[table].unique, real[table].indexes) == (declared.unique, declared.indexes)


async def test_an_older_database_gets_the_keys_and_indexes_of_the_later_version(
    empty_url: str, later_version: Path
) -> None:
    await (await open_database(empty_url)).close()
    await processes.successful(OPEN, empty_url, home=later_version)


@pytest.mark.usefixtures("with_a_history")
async def test_a_file_is_copied_before_it_is_migrated(
    sqlite_url: str, later_migrations: str
) -> None:
    before = _content(_file(sqlite_url))
    await (await open_database(sqlite_url)).close()
    copy = _copy_of(sqlite_url, later_migrations)
    assert _content(copy) == before
    assert "note" not in _columns(copy)


@pytest.mark.usefixtures("with_a_history")
async def test_a_copy_that_was_not_finished_is_made_anew(
    sqlite_url: str, later_migrations: str
) -> None:
    copy = _copy_of(sqlite_url, later_migrations)
    copy.with_name(f"{copy.name}.part").write_text("half a copy")
    await (await open_database(sqlite_url)).close()
    assert len(_content(copy)["inbox"]) == 60
    assert not list(copy.parent.glob("*.part"))


@pytest.mark.usefixtures("with_a_history")
async def test_a_copy_that_is_there_is_not_overwritten(
    sqlite_url: str, later_migrations: str
) -> None:
    copy = _copy_of(sqlite_url, later_migrations)
    copy.write_text("the oldest copy")
    await (await open_database(sqlite_url)).close()
    assert copy.read_text() == "the oldest copy"


async def test_a_version_works_on_the_schema_of_the_next(
    empty_url: str, later_version: Path, now: datetime
) -> None:
    """As a deploy has it: whoever of the version before is started meanwhile goes on."""
    await processes.successful(OPEN, empty_url, home=later_version)
    assert (await examine(empty_url)).missing == ()
    database = await open_database(empty_url)
    where = await given.conversation(now)
    await given.received(where, "hello", now)
    await database.close()


async def test_a_database_that_a_later_version_took_something_from_is_refused(url: str) -> None:
    opened = await open_database(url)
    await sql.rows(opened, _LATER)
    await sql.rows(opened, "ALTER TABLE inbox DROP COLUMN author")
    await opened.close()
    for look in (open_database, examine):
        with pytest.raises(NewerDatabase, match=r"9999_later.*install that version"):
            await look(url)


async def test_a_database_on_which_two_versions_went_apart_is_refused(url: str) -> None:
    opened = await open_database(url)
    await sql.rows(opened, "UPDATE tortoise_migrations SET name = '9999_later' WHERE id = 2")
    await opened.close()
    for look in (open_database, examine):
        with pytest.raises(NewerDatabase, match="9999_later"):
            await look(url)


@pytest.mark.parametrize(
    ("words", "times"),
    [("CREATE TABLE", 9), ("INSERT INTO", 1)],
)
async def test_a_first_migration_killed_in_the_middle_is_done_by_the_next(
    sqlite_url: str, words: str, times: int
) -> None:
    await _killed(sqlite_url, words, times, ROOT)
    database = await open_database(sqlite_url)
    assert await sql.real(database) == sql.declared()
    await database.close()


@pytest.mark.parametrize("words", ["VACUUM", "DROP TABLE", 'INSERT INTO "tortoise'])
@pytest.mark.usefixtures("with_a_history")
async def test_a_later_migration_killed_in_the_middle_is_done_by_the_next(
    sqlite_url: str, later_version: Path, words: str
) -> None:
    before = _content(_file(sqlite_url))
    await _killed(sqlite_url, words, 1, later_version)
    assert _content(_file(sqlite_url)) == before
    await processes.successful(OPEN, sqlite_url, home=later_version)
    assert _content(_file(sqlite_url)) == before


async def _killed(url: str, words: str, times: int, home: Path) -> None:
    process = await processes.start(OPEN_AND_DIE, url, words, str(times), home=home)
    ended = await process.ended()
    assert ended.code == -9, ended.err


async def test_tables_of_another_program_are_left_alone(url: str) -> None:
    database = await open_database(url)
    for table in {*sql.declared(), "tortoise_migrations"} - {"message"}:
        await sql.rows(database, f"DROP TABLE {sql.quoted(database, table)}")
    await database.close()
    with pytest.raises(DatabaseUnusable, match="tables of another program"):
        await open_database(url)


@pytest.mark.parametrize("from_here_on", ["0002", "0003"])
@pytest.mark.parametrize("url", ["mysql"], indirect=True)
async def test_what_a_killed_migration_had_added_is_no_obstacle(
    url: str, from_here_on: str
) -> None:
    """MySQL cannot take it back: the statement stood before the migration was on record."""
    opened = await open_database(url)
    forget = f"DELETE FROM tortoise_migrations WHERE name >= '{from_here_on}'"  # noqa: S608  # of our own
    await sql.rows(opened, forget)
    await opened.close()
    opened = await open_database(url)
    names = await sql.rows(opened, "SELECT name FROM tortoise_migrations ORDER BY name")
    await opened.close()
    assert [row["name"] for row in names] == migration.known()


@pytest.mark.parametrize("url", ["mysql"], indirect=True)
async def test_what_the_server_still_does_for_a_killed_migration_is_no_obstacle(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its lock is free before the statement ends that it was killed at."""
    opened = await open_database(url)
    [made] = await sql.rows(opened, "SHOW CREATE TABLE reservation")
    await sql.rows(opened, "DROP TABLE reservation")
    await sql.rows(opened, "DELETE FROM tortoise_migrations WHERE name >= '0008'")
    await opened.close()
    look = internals.tables_of

    async def looked(connection: BaseDBAsyncClient) -> dict[str, set[str]]:
        there = await look(connection)
        if "reservation" not in there:
            await execute(url, str(made["Create Table"]))
        return there

    monkeypatch.setattr(internals, "tables_of", looked)
    opened = await open_database(url)
    assert await sql.real(opened) == sql.declared()
    await opened.close()


@pytest.mark.parametrize("url", ["mysql"], indirect=True)
async def test_a_table_of_another_program_is_no_such_statement(url: str) -> None:
    opened = await open_database(url)
    await sql.rows(opened, "DROP TABLE reservation")
    await sql.rows(opened, "CREATE TABLE reservation (id INT)")
    await sql.rows(opened, "DELETE FROM tortoise_migrations WHERE name >= '0008'")
    await opened.close()
    with pytest.raises(DatabaseUnusable, match="tables of another program"):
        await open_database(url)


@pytest.mark.parametrize("url", ["mysql"], indirect=True)
async def test_names_of_an_older_mysql_database_are_compared_exactly_too(
    url: str, now: datetime
) -> None:
    """Its collation took spaces at the end of a name for nothing."""
    opened = await open_database(url)
    for statement in (
        "ALTER TABLE conversation CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
        "DROP TABLE reservation",
        "DELETE FROM tortoise_migrations WHERE name LIKE '%reservation'",
    ):
        await sql.rows(opened, statement)
    assert (await given.conversation(now, room="a")).id == (
        await given.conversation(now, room="a ")
    ).id
    await opened.close()
    opened = await open_database(url)
    assert (await given.conversation(now, room="a")).id != (
        await given.conversation(now, room="a ")
    ).id
    await opened.close()
