"""Looking at a database changes nothing in it."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pytest

from core import clock
from storage import migration
from storage.database import Database, examine, open_database
from storage.errors import DatabaseUnusable
from tests.storage import sql


async def test_a_current_database_has_every_migration(database: Database, url: str) -> None:
    found = await examine(url)
    assert (found.newest, found.missing) == (migration.known()[-1], ())
    assert found.shown == database.url.shown


async def test_an_empty_database_has_none_and_stays_empty(empty_url: str) -> None:
    first, second = await examine(empty_url), await examine(empty_url)
    assert (first.newest, list(first.missing)) == (None, migration.known())
    assert second == first


async def test_a_file_that_is_not_there_is_not_made(sqlite_url: str, tmp_path: Path) -> None:
    assert (await examine(sqlite_url)).newest is None
    assert os.listdir(tmp_path) == []


async def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(DatabaseUnusable, match="does not exist"):
        await examine(f"sqlite://{tmp_path}/gone/moorings.db")


async def test_the_clock_of_a_server_is_compared(url: str) -> None:
    hour = timedelta(hours=1)
    found = await examine(url, lambda: clock.now() + hour)
    is_file = url.startswith("sqlite")
    assert found.ahead_seconds == pytest.approx(0 if is_file else hour.total_seconds(), abs=60)


async def test_a_file_that_is_no_database_is_told(sqlite_url: str, tmp_path: Path) -> None:
    (tmp_path / "moorings.db").write_bytes(b"not a database" * 100)
    with pytest.raises(DatabaseUnusable, match="not a database"):
        await examine(sqlite_url)


@pytest.mark.skipif(os.getuid() == 0, reason="root may write everywhere")
async def test_a_folder_that_is_not_writable_is_told(sqlite_url: str, tmp_path: Path) -> None:
    os.chmod(tmp_path, 0o500)
    with pytest.raises(DatabaseUnusable, match="not writable"):
        await examine(sqlite_url)


async def test_an_open_database_can_be_asked_for_a_sign_of_life(database: Database) -> None:
    await database.probe()


async def test_a_database_whose_tables_are_gone_gives_none(sqlite_url: str) -> None:
    opened = await open_database(sqlite_url)
    await sql.rows(opened, "ALTER TABLE tortoise_migrations RENAME TO gone")
    with pytest.raises(DatabaseUnusable):
        await opened.probe()
    await opened.close()
