"""A backup every day: once for all processes, rotated, and again after one that failed."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from contextlib import closing
from datetime import datetime, time, timedelta
from pathlib import Path

import pytest

from core import clock
from core.config.agents_file import BackupPlan
from core.upkeep import backup, nightly
from core.upkeep.nightly import Nightly
from storage import cursors
from storage.database import Database, open_database
from tests.core.given import Hands
from tests.patience import PATIENCE
from tests.storage import given, processes

HOUR, DAY = 3_600, 86_400
# Looks whether it is time, and says whether there was something to do; dies at a kill point.
LOOK = """
import asyncio, os, signal, sys
from datetime import time
from pathlib import Path
from core import clock, kill_points
from core.config.agents_file import BackupPlan
from core.upkeep.nightly import Nightly
from storage.database import open_database

url, folder, dies_at = sys.argv[1:]

def arrive(place):
    if place == dies_at:
        os.kill(os.getpid(), signal.SIGKILL)

async def main():
    database = await open_database(url)
    kill_points.watch(arrive)
    plan = BackupPlan(to=Path(folder), at=time(3), keep=14)
    sys.stdin.readline()
    print(await Nightly(database, clock.now, lambda: plan).look())
    await database.close()

asyncio.run(main())
"""


@pytest.fixture
def hands() -> Hands:
    """It is noon."""
    return Hands()


@pytest.fixture
def plan(tmp_path: Path) -> BackupPlan:
    """At three, into a folder that is not there yet."""
    return BackupPlan(to=tmp_path / "deep" / "backups", at=time(3), keep=3)


def files(plan: BackupPlan) -> list[str]:
    """What is in the folder."""
    return sorted(each.name for each in plan.to.iterdir()) if plan.to.exists() else []


async def look(database: Database, hands: Hands, plan: BackupPlan) -> bool:
    """Whether there was something to do, for a process that has just begun."""
    return await Nightly(database, hands, lambda: plan).look()


@pytest.mark.parametrize(
    ("now", "due"),
    [("02:59:59", "28T03:00"), ("03:00:00", "01T03:00"), ("23:59:59", "01T03:00")],
)
def test_it_is_due_once_a_day(plan: BackupPlan, now: str, due: str) -> None:
    at = datetime.fromisoformat(f"2026-03-01T{now}+00:00")
    assert f"{plan.due(at):%dT%H:%M}" == due


async def test_the_first_one_is_made_at_once_and_the_next_ones_at_their_time(
    sqlite: Database, hands: Hands, plan: BackupPlan
) -> None:
    assert await look(sqlite, hands, plan)
    assert not await look(sqlite, hands, plan)
    hands.forward(14.9 * HOUR)  # to just before three
    assert not await look(sqlite, hands, plan)
    hands.forward(0.2 * HOUR)
    assert await look(sqlite, hands, plan)
    assert not await look(sqlite, hands, plan)
    first, second = files(plan)
    assert first.startswith("moorings-2026-03-01T120000")
    assert second.startswith("moorings-2026-03-02T030600")


async def test_it_is_whole(sqlite: Database, hands: Hands, plan: BackupPlan) -> None:
    await given.conversation(hands())
    await look(sqlite, hands, plan)
    [name] = files(plan)
    assert backup.check(plan.to / name, lambda _: None).rows["conversation"] == 1


async def test_so_many_are_kept_and_nothing_else_is_deleted(
    sqlite: Database, hands: Hands, plan: BackupPlan
) -> None:
    plan.to.mkdir(parents=True)
    mine = ["mine.jsonl", "moorings-2026-03-01T120000000000Z.jsonl.gz", "moorings-old.jsonl"]
    for name in mine:
        (plan.to / name).write_text("mine")
    assert await look(sqlite, hands, plan)
    [made] = set(files(plan)) - set(mine)
    (plan.to / f"{made}.abc.part").write_text("of one that died")
    for _ in range(4):
        hands.forward(DAY)
        assert await look(sqlite, hands, plan)
    kept = [name for name in files(plan) if name not in mine]
    assert [name[: len("moorings-2026-03-01")] for name in kept] == [
        f"moorings-2026-03-0{day}" for day in (3, 4, 5)
    ]
    assert set(mine) < set(files(plan))


async def test_databases_that_share_a_folder_delete_nothing_of_each_other(
    sqlite: Database, hands: Hands, plan: BackupPlan, migrated: Path, tmp_path: Path
) -> None:
    shutil.copy(migrated, tmp_path / "other.db")
    other = await open_database(f"sqlite://{tmp_path}/other.db")
    for database in (other, sqlite):
        database.enter()
        await look(database, hands, plan)
    [first, second] = files(plan)
    for name in (first, second):  # as one that is being written
        (plan.to / f"{name}.abc.part").write_text("half")
    for _ in range(4):
        hands.forward(DAY)
        assert await look(sqlite, hands, plan)
    await other.close()
    assert set(files(plan)) >= {first, f"{first}.abc.part"}
    assert f"{second}.abc.part" not in files(plan)
    assert len(files(plan)) == plan.keep + 2


async def test_a_copy_of_a_database_is_another_one(
    sqlite: Database, hands: Hands, plan: BackupPlan, tmp_path: Path
) -> None:
    await look(sqlite, hands, plan)
    [first] = files(plan)
    copy = tmp_path / "copy.db"
    assert sqlite.file
    with closing(sqlite3.connect(sqlite.file)) as connection:
        connection.execute("VACUUM INTO ?", (str(copy),))
    other = await open_database(f"sqlite://{copy}")
    other.enter()
    for _ in range(4):
        hands.forward(DAY)
        assert await look(other, hands, plan)
    await other.close()
    assert first in files(plan)
    assert len(files(plan)) == plan.keep + 1


async def test_without_a_plan_nothing_is_done(sqlite: Database, hands: Hands) -> None:
    assert not await Nightly(sqlite, hands, lambda: None).look()
    assert await nightly.age(hands()) is None


async def test_one_that_failed_is_told_and_tried_again_after_an_hour(
    sqlite: Database, hands: Hands, plan: BackupPlan, caplog: pytest.LogCaptureFixture
) -> None:
    plan.to.parent.write_text("no folder")
    mine = Nightly(sqlite, hands, lambda: plan)
    assert not await mine.look()
    assert not await mine.look()
    [record] = caplog.records
    assert (record.levelname, record.getMessage()) == ("ERROR", "backup failed")
    plan.to.parent.unlink()
    hands.forward(HOUR - 1)
    assert not await mine.look()
    hands.forward(1)
    assert await mine.look()


async def test_a_clock_that_was_years_ahead_does_not_stop_it(
    sqlite: Database, hands: Hands, plan: BackupPlan
) -> None:
    hands.forward(1000 * DAY)
    assert await look(sqlite, hands, plan)
    hands.forward(-1000 * DAY)
    assert await look(sqlite, hands, plan)


async def test_while_another_process_does_it_nothing_is_done(
    sqlite: Database, hands: Hands, plan: BackupPlan
) -> None:
    async with sqlite.only_one("backup"):
        assert not await look(sqlite, hands, plan)
    assert await look(sqlite, hands, plan)


async def test_its_age_is_known(sqlite: Database, hands: Hands, plan: BackupPlan) -> None:
    await look(sqlite, hands, plan)
    hands.forward(HOUR)
    age = await nightly.age(hands())
    assert age
    assert timedelta(hours=1) <= age < timedelta(hours=1, seconds=1)


async def test_it_looks_at_once_and_ends_when_it_is_told_to(
    sqlite: Database, hands: Hands, plan: BackupPlan
) -> None:
    stop = asyncio.Event()
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        running = group.create_task(Nightly(sqlite, hands, lambda: plan).run(stop))
        while await cursors.last_seen("backup") is None:  # noqa: ASYNC110  # it tells nobody
            await asyncio.sleep(0)
        stop.set()
    assert running.done()
    assert len(files(plan)) == 1


async def test_of_several_processes_one_does_it(
    database: Database, url: str, tmp_path: Path
) -> None:
    await given.conversation(clock.now())
    started = [await processes.start(LOOK, url, str(tmp_path / "b"), "") for _ in range(3)]
    for process in started:
        process.stdin.write(b"\n")
    said = [(await process.ended()).out for process in started]
    assert sorted(said) == ["False\n", "False\n", "True\n"]
    assert len(list((tmp_path / "b").iterdir())) == 1


@pytest.mark.parametrize("place", ["rows backed up", "backup written"])
async def test_whoever_dies_leaves_it_to_the_next_look(
    database: Database, url: str, tmp_path: Path, place: str
) -> None:
    await given.conversation(clock.now())
    died = await (await processes.start(LOOK, url, str(tmp_path / "b"), place)).ended(b"\n")
    assert died.code == -9
    assert await nightly.age(clock.now()) is None
    process = await processes.start(LOOK, url, str(tmp_path / "b"), "")
    assert (await process.ended(b"\n")).out == "True\n"
    left = sorted((tmp_path / "b").iterdir())
    assert not any(each.name.endswith(".part") for each in left)
    for each in left:
        assert backup.check(each, lambda _: None).rows["conversation"] == 1
