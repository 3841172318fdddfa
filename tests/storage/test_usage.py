"""What model calls have cost, and what those under way may cost."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import pytest

from storage import agents, usage
from storage.database import Database
from storage.models import Reservation, Usage
from storage.usage import Call, Room, Spent, Wanted

LIMIT = 100


@pytest.fixture
async def ada(database: Database, now: datetime) -> int:
    """The id of an agent."""
    return (await agents.record(name="Ada", revision="r", config={}, now=now)).id


def spent(nano_usd: int | None, *, is_reserved: bool = False) -> Spent:
    """What a call cost."""
    return Spent(
        model="m",
        input_tokens=2,
        cached_tokens=0,
        output_tokens=1,
        nano_usd=nano_usd,
        is_reserved=is_reserved,
    )


async def reserve(ada: int, turn_id: int, nano_usd: int, now: datetime) -> Room:
    """For a minute, of a hundred a day."""
    wanted = Wanted(
        turn_id=turn_id, agent_id=ada, nano_usd=nano_usd, ends_at=now + timedelta(minutes=1)
    )
    return await usage.reserve(wanted, limit=LIMIT, since=now, now=now)


async def cut(ada: int, turn_id: int, cost: Spent, now: datetime, *, step: int = -1) -> None:
    """A call of the turn was cut."""
    await usage.add_cut(cost, Call(turn_id=turn_id, agent_id=ada, step=step), now)


async def test_what_others_have_reserved_is_waited_for(ada: int, now: datetime) -> None:
    assert await reserve(ada, 1, 60, now) is Room.MADE
    assert await reserve(ada, 2, 50, now) is Room.LATER
    assert await reserve(ada, 2, 40, now) is Room.MADE


async def test_what_does_not_fit_alone_is_not_waited_for(ada: int, now: datetime) -> None:
    await cut(ada, 9, spent(60), now)
    assert await reserve(ada, 1, 41, now) is Room.NONE
    assert await reserve(ada, 1, 40, now) is Room.MADE


async def test_a_turn_reserves_for_one_call_at_a_time(ada: int, now: datetime) -> None:
    """Also in place of what a process had reserved that died."""
    assert await reserve(ada, 1, 60, now) is Room.MADE
    assert await reserve(ada, 1, 100, now) is Room.MADE
    assert await Reservation.all().count() == 1


async def test_a_reservation_ends_after_its_time(ada: int, now: datetime) -> None:
    await reserve(ada, 1, 60, now)
    assert await reserve(ada, 2, 50, now + timedelta(seconds=61)) is Room.MADE


async def test_a_reservation_ends_with_the_record_of_its_call(ada: int, now: datetime) -> None:
    await reserve(ada, 1, 60, now)
    await cut(ada, 1, spent(10, is_reserved=True), now)
    assert await reserve(ada, 2, 90, now) is Room.MADE


async def test_a_call_that_cost_nothing_is_released(ada: int, now: datetime) -> None:
    await reserve(ada, 1, 60, now)
    await usage.release(1)
    assert await reserve(ada, 2, 100, now) is Room.MADE


async def test_a_cut_call_is_kept_once(ada: int, now: datetime) -> None:
    for _ in range(2):
        await cut(ada, 1, spent(10), now)
    await cut(ada, 1, spent(None), now, step=-2)
    assert await usage.nano_usd_since(agent_id=ada, since=now) == 10
    assert await Usage.all().count() == 2


async def test_agents_reserve_each_for_themselves(ada: int, now: datetime) -> None:
    ben = (await agents.record(name="Ben", revision="r", config={}, now=now)).id
    assert await reserve(ada, 1, 100, now) is Room.MADE
    assert await reserve(ben, 2, 100, now) is Room.MADE


async def test_many_who_reserve_at_once_do_not_reserve_too_much(ada: int, now: datetime) -> None:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(reserve(ada, turn, 30, now)) for turn in range(20)]
    rooms = [task.result() for task in tasks]
    assert (rooms.count(Room.MADE), rooms.count(Room.LATER)) == (3, 17)


async def test_an_agent_goes_with_what_it_has_reserved(ada: int, now: datetime) -> None:
    await reserve(ada, 1, 60, now)
    await agents.remove(ada)
    assert await Reservation.all().count() == 0
