"""What is done only when something changed."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing

import pytest

from core.clock import now
from core.messaging.storing import NotStored
from core.upkeep.once_per_change import OncePerChange
from storage.database import Database


class Act:
    """Counts how often it was done, and how many at once."""

    def __init__(self) -> None:
        self.count = self.most = self._running = 0

    async def __call__(self) -> None:
        self._running += 1
        self.most = max(self.most, self._running)
        self.count += 1
        await asyncio.sleep(0)
        self._running -= 1


async def _fail() -> None:
    raise LookupError


async def test_it_is_done_once_for_the_same_thing(database: Database) -> None:
    changes, act = OncePerChange(database, now), Act()
    assert await changes.run("menu/1", "red", act)
    assert not await changes.run("menu/1", "red", act)
    assert act.count == 1


async def test_it_is_done_again_when_something_changed(database: Database) -> None:
    changes, act = OncePerChange(database, now), Act()
    for what in ("red", "blue", "red"):
        assert await changes.run("menu/1", what, act)
    assert act.count == 3


async def test_another_name_is_another_thing(database: Database) -> None:
    changes, act = OncePerChange(database, now), Act()
    assert await changes.run("menu/1", "red", act)
    assert await changes.run("menu/2", "red", act)


async def test_what_failed_is_done_again(database: Database) -> None:
    changes, act = OncePerChange(database, now), Act()
    with pytest.raises(LookupError):
        await changes.run("menu/1", "red", _fail)
    assert await changes.run("menu/1", "red", act)


async def test_two_at_once_do_it_once(database: Database) -> None:
    changes, act = OncePerChange(database, now), Act()
    async with asyncio.TaskGroup() as group:
        for _ in range(2):
            group.create_task(changes.run("menu/1", "red", act))
    assert (act.count, act.most) == (1, 1)


async def test_without_a_database_nothing_is_done(sqlite: Database) -> None:
    changes, act = OncePerChange(sqlite, now), Act()
    with closing(sqlite3.connect(sqlite.file or "")) as other:
        other.execute("DROP TABLE cursor")
    with pytest.raises(NotStored):
        await changes.run("menu/1", "red", act)
    assert act.count == 0
