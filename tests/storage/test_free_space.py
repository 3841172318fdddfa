"""A file that lost rows becomes smaller beside whoever works with it, and loses nothing else."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from datetime import datetime
from pathlib import Path

import pytest

from storage import free_space
from storage.database import Database, open_database
from storage.free_space import FreeSpace
from tests.storage import given, sql


@pytest.fixture
def older(migrated: Path, sqlite_url: str) -> str:
    """A file of this schema that was made before files could shrink."""
    with closing(sqlite3.connect(migrated)) as made, closing(_connected(sqlite_url)) as copy:
        made.backup(copy)
        copy.execute("PRAGMA journal_mode = DELETE")
        copy.execute("PRAGMA auto_vacuum = NONE")
        copy.execute("VACUUM")
    return sqlite_url


def _connected(url: str) -> sqlite3.Connection:
    return sqlite3.connect(_file(url))


def _file(url: str) -> Path:
    return Path(url.removeprefix("sqlite://"))


async def test_a_new_file_can_shrink(sqlite_url: str) -> None:
    database = await open_database(sqlite_url)
    assert await free_space.look() == FreeSpace(free=0, can_shrink=True)
    await database.close()


async def test_a_step_gives_back_a_megabyte_and_keeps_every_row(
    sqlite: Database, sqlite_url: str
) -> None:
    await given.filled_and_emptied(sqlite, megabytes=3)
    kept = await sql.rows(sqlite, "SELECT * FROM kept")
    before = (await free_space.look()).free
    await free_space.give_back()
    assert before - (await free_space.look()).free == 2**20
    while (await free_space.look()).free:
        await free_space.give_back()
    assert await sql.rows(sqlite, "SELECT * FROM kept") == kept
    assert await sql.rows(sqlite, "PRAGMA integrity_check") == [{"integrity_check": "ok"}]
    await sqlite.close()
    assert _file(sqlite_url).stat().st_size < before


async def test_others_read_and_write_between_two_steps(sqlite: Database, now: datetime) -> None:
    await given.filled_and_emptied(sqlite, megabytes=3)
    where = await given.conversation(now)
    async with asyncio.TaskGroup() as group:
        for number in range(20):
            group.create_task(given.received(where, f"k{number}", now, position=number))
            group.create_task(_given_back())
    assert (await free_space.look()).free == 0
    assert await sql.rows(sqlite, "SELECT count(*) AS n FROM inbox") == [{"n": 20}]


async def _given_back() -> None:
    await free_space.give_back()


async def test_an_older_file_stays_as_it_is_until_it_is_written_anew(older: str) -> None:
    database = await open_database(older)
    await given.filled_and_emptied(database, megabytes=3)
    before = await free_space.look()
    assert not before.can_shrink
    await free_space.give_back()
    assert await free_space.look() == before
    await database.close()
    with closing(_connected(older)) as connection:  # as docs/operations.md says
        connection.executescript("PRAGMA auto_vacuum=INCREMENTAL; VACUUM")
    database = await open_database(older)
    assert await free_space.look() == FreeSpace(free=0, can_shrink=True)
    await database.close()
