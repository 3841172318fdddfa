"""The connections that verbs leave at hand for the next ones, and how many verbs have one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from contextlib import AsyncExitStack
from datetime import datetime
from typing import cast

import asyncpg
import pytest

from storage import agents, conversations
from storage.database import Database
from storage.drivers.internals import pool_of
from storage.drivers.pool import LimitedPool
from storage.drivers.script import Script, client, reading_script, rows
from storage.drivers.session import session_of
from storage.models import InboxMessage
from tests.patience import PATIENCE
from tests.storage import given, sql

pytestmark = pytest.mark.parametrize("url", ["postgres"], indirect=True)


@reading_script
def process() -> Script[int]:
    """Which process of the server answers."""
    ((number,),) = yield from rows("SELECT pg_backend_pid()")
    return int(number)


@reading_script
def failing() -> Script[None]:
    """What the server refuses."""
    yield from rows("SELECT nothing FROM nowhere")


def pool() -> LimitedPool:
    """That of the open database."""
    found = pool_of(client())
    assert isinstance(found, LimitedPool)
    return found


def closing() -> asyncio.Event:
    """Set when the last one that was left is closed."""
    gone = asyncio.Event()
    session_of("postgres", pool()._at_hand._left[-1]).when_closed(gone.set)
    return gone


@pytest.mark.usefixtures("database")
async def test_one_that_was_closed_is_not_used() -> None:
    number = await process()
    assert number == await process()
    gone = closing()
    async with pool().lent() as first, pool().lent() as second:
        assert first is not second
        await session_of("postgres", second).ask(f"SELECT pg_terminate_backend({number})")
        async with asyncio.timeout(PATIENCE):
            await gone.wait()
    assert await process() != number


@pytest.mark.usefixtures("database")
async def test_one_that_nobody_needs_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("storage.drivers.pool._STAY_SECONDS", 0.5)
    number = await process()
    gone = closing()
    async with asyncio.timeout(PATIENCE):
        await gone.wait()
    assert await process() != number


@pytest.mark.usefixtures("database")
async def test_after_what_fails_none_is_at_hand() -> None:
    await process()
    with pytest.raises(Exception, match="nowhere"):
        await failing()
    assert pool()._at_hand.take() is None


@pytest.mark.usefixtures("database")
async def test_it_is_lent_to_one_at_a_time(now: datetime) -> None:
    where = await given.conversation(now)
    async with asyncio.TaskGroup() as group:
        for number in range(20):
            group.create_task(given.received(where, f"k{number}", now))
            group.create_task(process())
            group.create_task(conversations.find(agent_id=where.agent_id, address=where.address))
    assert await InboxMessage.all().count() == 20


async def at_once(number: int) -> set[int]:
    """The processes of the server that answer so many who ask together."""
    async with asyncio.TaskGroup() as group:
        asking = [group.create_task(process()) for _ in range(number)]
    return {each.result() for each in asking}


@pytest.mark.usefixtures("database")
async def test_a_few_verbs_at_once_have_connections_that_stay() -> None:
    first = await at_once(20)
    assert 1 < len(first) <= 3
    assert await at_once(20) <= first
    assert len(pool()._at_hand._left) == len(first)


@pytest.mark.usefixtures("database")
async def test_one_that_has_long_been_away_is_given_back() -> None:
    number = await process()
    for each in pool()._at_hand._until:
        pool()._at_hand._until[each] = 0
    assert await process() == number
    assert pool()._at_hand._left == []


@pytest.mark.usefixtures("database")
async def test_none_is_kept_from_who_waits_for_one() -> None:
    async with AsyncExitStack() as others:
        for _ in range(2):
            connection = await pool().acquire()
            pool().keep(connection)
            others.push_async_callback(pool().release, connection)
        async with asyncio.timeout(PATIENCE), AsyncExitStack() as verbs:
            for _ in range(3):
                await verbs.enter_async_context(pool().lent())
            waiting = asyncio.get_running_loop().create_task(pool().acquire())
            await asyncio.sleep(0)
            await verbs.aclose()
            others.push_async_callback(pool().release, await waiting)


@pytest.mark.usefixtures("database")
async def test_verbs_that_wait_for_the_server_leave_room_for_all_else(
    database: Database, url: str, now: datetime
) -> None:
    where, holder = await given.conversation(now), await asyncpg.connect(url)
    async with asyncio.TaskGroup() as group, holder.transaction(), asyncio.timeout(PATIENCE):
        await holder.execute("SELECT id FROM conversation FOR UPDATE")
        for number in range(3):
            group.create_task(given.received(where, f"k{number}", now))
        while len(await sql.rows(database, sql.BLOCKED["postgres"])) < 3:  # noqa: ASYNC110  # only the server knows
            await asyncio.sleep(0.05)
        assert await agents.everyone()
        assert await process()
    await holder.close()
    assert await InboxMessage.all().count() == 3


@pytest.mark.usefixtures("database")
async def test_what_ends_while_all_is_closed_is_given_back() -> None:
    """Else the driver would wait for it."""
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        async with pool().lent():
            closing = group.create_task(closed(pool()))
            await asyncio.sleep(0)
        await closing


async def closed(pool: LimitedPool) -> None:
    """As Tortoise closes it."""
    await cast("Awaitable[None]", pool.close())
