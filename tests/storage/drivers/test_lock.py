"""A lock by name: one holder at a time, on every database, and none that died."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path

import pytest

from storage.backup import is_in_use
from storage.database import Database, open_database
from storage.errors import DatabaseBusy
from storage.owners import Owner
from tests.forked import Running
from tests.patience import PATIENCE
from tests.peers.cable import Cable
from tests.peers.postgres import PostgresServer
from tests.storage import processes

HOLD = """
import asyncio, sys
from storage.database import open_database

async def main():
    database = await open_database(sys.argv[1])
    async with database.only_one("moor"):
        print("held", flush=True)
        await asyncio.to_thread(sys.stdin.read)

asyncio.run(main())
"""


@contextlib.asynccontextmanager
async def held_elsewhere(url: str) -> AsyncIterator[Running]:
    """Another process holds the lock."""
    process = await processes.start(HOLD, url)
    assert await process.stdout.readline() == b"held\n"
    try:
        yield process
    finally:
        await process.ended()


async def test_the_second_waits_for_the_first(database: Database) -> None:
    done: list[str] = []

    async def second() -> None:
        async with database.only_one("moor"):
            done.append("second")

    async with asyncio.TaskGroup() as group, database.only_one("moor"):
        group.create_task(second())
        await taken(database, "moor")
        done.append("first")
    assert done == ["first", "second"]


async def taken(database: Database, name: str) -> None:
    """Returns once somebody has tried long enough to take a lock that is held."""
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1), database.only_one(name):
            pytest.fail("two hold it")


async def test_a_link_to_a_file_is_that_file(migrated: Path, tmp_path: Path) -> None:
    file = Path(shutil.copy(migrated, tmp_path / "moorings.db"))
    (there := tmp_path / "there").mkdir()
    (link := there / "link.db").symlink_to(file)
    by_name = await open_database(f"sqlite://{file}")
    by_link = await open_database(f"sqlite://{link}")
    async with by_name.only_one("moor"), by_link.if_free("moor") as is_mine:
        assert not is_mine
    owner = Owner(file)
    assert await is_in_use(by_link)
    owner.leave()
    assert not await is_in_use(by_link)
    await by_link.close()
    await by_name.close()
    assert [each.name for each in there.iterdir()] == ["link.db"]


async def test_another_process_has_to_let_go_first(database: Database, url: str) -> None:
    async with held_elsewhere(url):
        await taken(database, "moor")
    async with asyncio.timeout(PATIENCE), database.only_one("moor"):
        pass


async def test_who_does_not_wait_is_told_that_another_process_has_it(
    database: Database, url: str
) -> None:
    async with held_elsewhere(url):
        for _ in range(10):  # more than a pool has connections
            async with database.if_free("moor") as is_mine:
                assert not is_mine
    async with database.if_free("moor") as is_mine:
        assert is_mine
        await taken(database, "moor")
    async with asyncio.timeout(PATIENCE), database.only_one("moor"):
        pass


async def test_who_does_not_wait_is_told_that_another_task_has_it(database: Database) -> None:
    async with database.only_one("moor"), asyncio.timeout(PATIENCE):
        async with database.if_free("moor") as is_mine:
            assert not is_mine
        async with database.if_free("anchor") as is_mine:
            assert is_mine
        await taken(database, "moor")  # who was refused has freed nothing


async def test_a_server_that_is_gone_keeps_no_lock(cluster: Path) -> None:
    async with PostgresServer(cluster=cluster) as server:
        database = await open_database(server.url)
        await server.stop()
        for lock in (database.only_one("moor"), database.if_free("moor")):
            with pytest.raises(DatabaseBusy):
                async with lock:
                    pytest.fail("nobody keeps it")
        await database.close()


async def test_a_server_that_goes_away_takes_the_lock_along(cluster: Path) -> None:
    async with PostgresServer(cluster=cluster) as server:
        database = await open_database(server.url)
        with pytest.raises(DatabaseBusy, match="held a lock was lost"):
            await _hold(database, during=server.stop())
        await server.start()
        async with database.if_free("moor") as is_mine:
            assert is_mine
        await database.close()


@pytest.mark.parametrize("url", ["postgres", "mysql"], indirect=True)
async def test_a_holder_whose_connection_ends_is_cut_off(url: str) -> None:
    async with Cable(url) as cable:
        database = await open_database(cable.url)
        with pytest.raises(DatabaseBusy, match="held a lock was lost"):
            await _hold(database, during=cable.reset())
        async with asyncio.timeout(PATIENCE), database.only_one("moor"):
            pass
        await database.close()


async def _hold(database: Database, *, during: Awaitable[None]) -> None:
    """Hold the lock while this happens, and for ever."""
    async with database.only_one("moor"):
        await during
        await asyncio.Event().wait()


@pytest.mark.parametrize("url", ["postgres", "mysql"], indirect=True)
async def test_a_lock_that_was_not_seen_to_be_freed_is_free(url: str) -> None:
    async with Cable(url) as cable:
        database = await open_database(f"{cable.url}?command_timeout=1")
        async with database.only_one("moor"):
            cable.cut()
        cable.heal()
        async with asyncio.timeout(PATIENCE), database.only_one("moor"):
            pass
        await database.close()


async def test_a_time_limit_of_the_holder_is_its_own(database: Database) -> None:
    with pytest.raises(TimeoutError):
        async with database.only_one("moor"), asyncio.timeout(0):
            await asyncio.Event().wait()


async def test_a_killed_process_holds_nothing(database: Database, url: str) -> None:
    async with held_elsewhere(url) as process:
        process.kill()
        await process.wait()
        async with asyncio.timeout(PATIENCE), database.only_one("moor"):
            pass


async def test_whoever_gives_up_waiting_leaves_nothing_behind(database: Database, url: str) -> None:
    async with held_elsewhere(url):
        for _ in range(10):  # more than a pool has connections
            await taken(database, "moor")
        await database.probe()


async def test_locks_of_other_names_are_free(database: Database) -> None:
    async with database.only_one("moor"), asyncio.timeout(PATIENCE), database.only_one("anchor"):
        pass


async def test_a_holder_that_fails_lets_go(database: Database) -> None:
    with pytest.raises(LookupError):
        async with database.only_one("moor"):
            raise LookupError
    async with asyncio.timeout(PATIENCE), database.only_one("moor"):
        pass


def small(url: str) -> str:
    """With as few connections as a server's can have; a file has one."""
    return url if url.startswith("sqlite") else f"{url}?maxsize=3"


async def test_waiters_of_one_process_leave_the_holder_its_connections(url: str) -> None:
    database = await open_database(small(url))
    done: list[int] = []

    async def wait(number: int) -> None:
        async with database.only_one("moor"):
            await database.probe()
            done.append(number)

    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        for number in range(4):
            group.create_task(wait(number))
    await database.close()
    assert sorted(done) == [0, 1, 2, 3]


async def test_two_locks_at_once_leave_a_connection_for_what_is_done_under_them(
    url: str,
) -> None:
    """Whoever wants a third one waits, or is told that it is not free."""
    database = await open_database(small(url))
    done: list[str] = []

    async def third() -> None:
        async with database.only_one("buoy"):
            await database.probe()
            done.append("third")

    async with (
        asyncio.timeout(PATIENCE),
        asyncio.TaskGroup() as group,
        database.only_one("moor"),
        database.only_one("anchor"),
        database.if_free("buoy") as is_mine,
    ):
        assert is_mine is (database.file is not None)
        group.create_task(third())
        for _ in range(10):
            await database.probe()
    await database.close()
    assert done == ["third"]
