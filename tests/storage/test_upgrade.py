"""From each schema that was ever released to the newest, on every database, whatever happens."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import shutil
import time
from pathlib import Path

import asyncpg
import pytest

from storage import migration
from storage.database import open_database
from storage.drivers.url import parse
from tests.conftest import Once
from tests.patience import PATIENCE
from tests.storage import older, sql
from tests.storage.opening import Opening

AT_ONCE = 4
# Daily a migration is killed before every so many of its statements: where it is one transaction,
# whoever dies in it leaves what was there; on MySQL each statement stands.
STEPS = {"sqlite": 16, "postgres": 16, "mysql": 4}
# The longest that a process lives after its first statement: about as long as a server is migrated.
SECONDS = 0.1

older_or_none = pytest.mark.parametrize("version", ["", *migration.known()[:-1]])
released = pytest.mark.parametrize("version", migration.known()[:-1])
OLDEST, *BETWEEN, LATEST = migration.known()[:-1]
IN_CHAOS = [pytest.param(each, marks=pytest.mark.chaos) for each in BETWEEN]


@pytest.fixture
def before(empty_url: str, version: str, once: Once) -> older.Content:
    """The rows that this version left in the database; a file is made once and copied."""
    if not version:
        return {}
    if not (file := parse(empty_url).file):
        return asyncio.run(older.make(empty_url, version))

    def fill(home: Path) -> None:
        content = asyncio.run(older.make(f"sqlite://{home}/moorings.db", version))
        (home / "content.json").write_text(json.dumps(content))

    home = once(f"older-{version}", fill)
    shutil.copy(home / "moorings.db", file)
    return dict(json.loads((home / "content.json").read_text()))


@pytest.mark.parametrize("version", [OLDEST, *IN_CHAOS, LATEST])
async def test_of_processes_that_start_at_once_one_migrates_and_no_row_is_lost(
    empty_url: str, version: str, before: older.Content
) -> None:
    started = [Opening(empty_url) for _ in range(AT_ONCE)]
    for process in started:
        process.begin()
    applied = [process.applied() for process in started]
    missing = migration.known()[migration.known().index(version) + 1 :]
    assert sorted(applied) == [[]] * (AT_ONCE - 1) + [missing]
    assert {len(rows) for rows in before.values()} == {older.ROWS}
    assert await older.content(empty_url, before) == before


@released
@pytest.mark.usefixtures("before")
async def test_the_schema_becomes_that_of_a_new_database(empty_url: str) -> None:
    await (await open_database(empty_url)).close()
    upgraded = await older.schema(empty_url)
    await older.clear(empty_url)
    await (await open_database(empty_url)).close()
    assert await older.schema(empty_url) == upgraded


@older_or_none
@pytest.mark.parametrize("is_each", [False, pytest.param(True, marks=pytest.mark.chaos)])
async def test_a_migration_killed_before_any_of_its_statements_is_done_by_the_next(
    empty_url: str, version: str, before: older.Content, *, is_each: bool
) -> None:
    """Daily before some of them, beginning elsewhere with each version."""
    step = 1 if is_each else STEPS[parse(empty_url).dialect]
    first = 1 + len([each for each in migration.known() if each <= version]) % step
    for number in itertools.count(first, step):
        process = Opening(empty_url)
        process.begin(killed_before=number)
        if not process.was_killed():
            break
        assert await older.content(empty_url, before) == before
    assert number > first
    assert Opening(empty_url).opened() == []
    assert await older.content(empty_url, before) == before


@pytest.mark.parametrize("version", ["", OLDEST, *IN_CHAOS, LATEST])
@pytest.mark.parametrize("kills", [2, pytest.param(10, marks=pytest.mark.chaos)])
async def test_a_migration_killed_at_any_moment_is_done_by_the_next(
    empty_url: str, version: str, before: older.Content, kills: int
) -> None:
    dice = random.Random(version)  # noqa: S311  # chance, no secret
    for _ in range(kills):
        process = Opening(empty_url)
        process.begin()
        process.began()
        time.sleep(dice.random() * SECONDS)  # noqa: ASYNC251  # nothing else runs here
        process.kill()
    Opening(empty_url).opened()
    assert await older.content(empty_url, before) == before


@pytest.mark.parametrize("empty_url", ["postgres"], indirect=True)
async def test_processes_of_which_each_believes_to_have_the_lock_migrate_once(
    empty_url: str,
) -> None:
    """As when the server lost the connection of the first one, and let the second one have it."""
    version = migration.known()[0]
    before = await older.make(empty_url, version)
    async with asyncio.TaskGroup() as group:
        for _ in range(3):
            group.create_task(_migrate_without_a_lock(empty_url))
    assert Opening(empty_url).opened() == []
    assert await older.content(empty_url, before) == before


@pytest.mark.parametrize("empty_url", ["postgres"], indirect=True)
async def test_who_only_reads_does_not_wait_for_a_migration_that_waits(
    empty_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """As while a backup reads every table: the version before goes on with its answers."""
    await older.make(empty_url, LATEST)
    backup, bot = await asyncpg.connect(empty_url), await asyncpg.connect(empty_url)
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        async with backup.transaction():
            await backup.execute("SELECT FROM conversation")
            migrating = group.create_task(open_database(empty_url))
            while not await bot.fetch(sql.BLOCKED["postgres"]):  # noqa: ASYNC110  # nobody tells
                await asyncio.sleep(0.05)
            await bot.execute("SELECT FROM conversation")
            while not caplog.records:  # noqa: ASYNC110  # as above
                await asyncio.sleep(0.05)
        await (await migrating).close()
    assert "as by a backup" in str([vars(each) for each in caplog.records])
    assert await bot.fetch("SELECT FROM tortoise_migrations WHERE name = $1", migration.known()[-1])
    await backup.close()
    await bot.close()


async def _migrate_without_a_lock(url: str) -> None:
    async with older.opened(url) as (database, context):
        await migration._apply(context.connections.get(database.url.dialect))
