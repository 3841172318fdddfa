"""The connection that a verb leaves at hand for the next one."""

from __future__ import annotations

import asyncio
from datetime import datetime

import pytest

from storage import conversations
from storage.drivers.internals import pool_of
from storage.drivers.pool import LimitedPool
from storage.drivers.script import Script, client, reading_script, rows
from storage.drivers.session import session_of
from storage.models import InboxMessage
from tests.patience import PATIENCE
from tests.storage import given

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
    """Set when the one at hand is closed."""
    gone = asyncio.Event()
    session_of("postgres", pool()._at_hand).when_closed(gone.set)
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
    assert pool()._at_hand is None
    assert await process() != number


@pytest.mark.usefixtures("database")
async def test_after_what_fails_none_is_at_hand() -> None:
    await process()
    with pytest.raises(Exception, match="nowhere"):
        await failing()
    assert pool()._at_hand is None


@pytest.mark.usefixtures("database")
async def test_it_is_lent_to_one_at_a_time(now: datetime) -> None:
    where = await given.conversation(now)
    async with asyncio.TaskGroup() as group:
        for number in range(20):
            group.create_task(given.received(where, f"k{number}", now))
            group.create_task(process())
            group.create_task(conversations.find(agent_id=where.agent_id, address=where.address))
    assert await InboxMessage.all().count() == 20
