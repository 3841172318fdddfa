"""How far something was read: forwards only, and folded away when it stands still."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import pytest

from storage import cursors
from storage.models import Cursor

pytestmark = pytest.mark.usefixtures("database")
DAY = timedelta(days=1)


async def ids_of(*names: str) -> list[int]:
    """The ids of these cursors."""
    return [cursor.id for cursor in await Cursor.filter(name__in=names)]


async def test_a_cursor_moves_forwards_only(now: datetime) -> None:
    for position in (5, 7, 6):
        await cursors.advance("slack/T1", position, now)
    assert await cursors.below("slack/T1") == {"slack/T1": 7}


async def test_of_a_workspace_whose_id_begins_alike_no_cursor_is_told(now: datetime) -> None:
    for name in ("slack/T1", "slack/T1/C1", "slack/T10"):
        await cursors.advance(name, 5, now)
    assert (await cursors.below("slack/T1")).keys() == {"slack/T1", "slack/T1/C1"}


async def test_what_was_seen_is_the_newest(now: datetime) -> None:
    for what in ("red", "blue"):
        await cursors.see("menu", what, now)
    assert await cursors.last_seen("menu") == "blue"


async def test_what_is_settled_stays(now: datetime) -> None:
    assert [await cursors.settle("home", what, now) for what in ("T2", "T1")] == ["T2", "T2"]


async def test_many_may_settle_something_at_once(now: datetime) -> None:
    async with asyncio.TaskGroup() as group:
        whats = [group.create_task(cursors.settle("home", f"T{n}", now)) for n in range(5)]
    assert len({what.result() for what in whats}) == 1


async def test_many_may_see_something_for_the_first_time_at_once(now: datetime) -> None:
    async with asyncio.TaskGroup() as group:
        for _ in range(5):
            group.create_task(cursors.see("menu", "red", now))
    assert await Cursor.filter(name="menu").count() == 1


async def test_those_that_stand_still_are_found_in_pages(now: datetime) -> None:
    for number in range(5):
        await cursors.advance(f"discord/1/{number}", 1, now)
    await cursors.advance("discord/1/1", 2, now + DAY)
    found: list[cursors.Idle] = []
    while page := await cursors.idle(
        before=now + DAY, after_id=found[-1].id if found else 0, limit=3
    ):
        found += page
    assert [each.name for each in found] == [f"discord/1/{number}" for number in (0, 2, 3, 4)]


async def test_the_cursor_above_goes_as_far_as_those_that_it_stands_for(now: datetime) -> None:
    for name, position in (("discord/1", 10), ("discord/1/2", 30), ("discord/1/3", 9)):
        await cursors.advance(name, position, now)
    ids = await ids_of("discord/1/2", "discord/1/3")
    assert await cursors.fold("discord/1", ids=ids, before=now + DAY, now=now + DAY) == 2
    assert await cursors.below("discord/1") == {"discord/1": 30}


async def test_a_cursor_above_that_is_further_stays_there(now: datetime) -> None:
    for name, position in (("slack/T1", 10), ("slack/T1/C1", 9)):
        await cursors.advance(name, position, now)
    ids = await ids_of("slack/T1/C1")
    assert await cursors.fold("slack/T1", ids=ids, before=now + DAY, now=now + DAY) == 1
    assert await cursors.below("slack/T1") == {"slack/T1": 10}


async def test_one_that_has_moved_meanwhile_stays(now: datetime) -> None:
    for name in ("slack/T1", "slack/T1/C1"):
        await cursors.advance(name, 1, now)
    ids = await ids_of("slack/T1/C1")
    await cursors.advance("slack/T1/C1", 5, now + DAY)
    assert await cursors.fold("slack/T1", ids=ids, before=now + DAY, now=now + DAY) == 0
    assert await cursors.below("slack/T1") == {"slack/T1": 1, "slack/T1/C1": 5}


async def test_without_a_cursor_above_all_stay(now: datetime) -> None:
    await cursors.advance("slack/T1/C1", 5, now)
    ids = await ids_of("slack/T1/C1")
    assert await cursors.fold("slack/T1", ids=ids, before=now + DAY, now=now + DAY) == 0
    assert await cursors.below("slack/T1") == {"slack/T1/C1": 5}
