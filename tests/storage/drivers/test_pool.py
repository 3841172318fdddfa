"""Connections of a process that is about to end: nothing is waited for longer than it has."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import contextmanager
from datetime import datetime

import pytest

from storage import agents
from storage.database import Database, open_database
from storage.drivers.transaction import transaction
from storage.errors import DatabaseBusy
from storage.models import Agent
from tests.peers.cable import Cable

LIMIT = "?command_timeout=30&maxsize=3"

pytestmark = pytest.mark.parametrize("url", ["postgres", "mysql"], indirect=True)


@pytest.fixture
async def cable(url: str) -> AsyncIterator[Cable]:
    """The network to a server."""
    async with Cable(url) as cable:
        yield cable


@pytest.fixture
async def far(cable: Cable) -> AsyncIterator[Database]:
    """An open database at the other end of the cable."""
    opened = await open_database(cable.url + LIMIT)
    yield opened
    cable.heal()
    await opened.close()


@contextmanager
def _in(seconds: float) -> Iterator[None]:
    """It takes about so long."""
    began = time.monotonic()
    yield
    assert seconds - 0.1 <= time.monotonic() - began < seconds + 15


async def _record(name: str, now: datetime) -> Agent:
    return await agents.record(name=name, revision="r1", config={}, now=now)


async def _read() -> list[Agent]:
    return await agents.everyone()


async def _refused(verb: Awaitable[object]) -> None:
    with pytest.raises(DatabaseBusy):
        await verb


async def test_what_holds_or_waits_for_a_connection_ends_together(
    cable: Cable, far: Database, now: datetime
) -> None:
    await _record("a", now)
    cable.cut()
    with _in(1.5):
        async with asyncio.TaskGroup() as group:
            for number in range(6):
                group.create_task(_refused(_record(f"a{number}", now)))
            await asyncio.sleep(0.5)  # they hold what there is, or wait for it
            far.hurry(1)


async def test_what_begins_when_all_should_have_ended_has_a_second(
    cable: Cable, far: Database, now: datetime
) -> None:
    await _record("a", now)
    far.hurry(0)
    await _record("b", now)
    cable.cut()
    with _in(1):
        await _refused(_record("c", now))


async def test_what_is_answered_in_time_is_not_disturbed(far: Database, now: datetime) -> None:
    @transaction
    async def take_time() -> None:
        await Agent.filter(name="a").update(revision="r2")
        far.hurry(1)
        await asyncio.sleep(0.5)

    await _record("a", now)
    await take_time()
    await asyncio.sleep(1)  # past the end of what it had
    assert [row.revision for row in await agents.everyone()] == ["r2"]


async def test_who_holds_a_lock_may_keep_it_but_the_lock_is_not_asked_about_for_long(
    cable: Cable, far: Database
) -> None:
    far.hurry(0)
    with _in(2.2):
        async with far.only_one("a file"):
            await asyncio.sleep(1.2)
            cable.cut()


async def _turns_of_the_loop(number: int) -> None:
    for _ in range(number):
        await asyncio.sleep(0)


TURNS = 15  # as many as a connection to a server takes, with its first word


async def test_who_connects_ends_in_time_at_whichever_moment(cable: Cable, far: Database) -> None:
    cable.cut()
    await _refused_soon(agents.everyone(), far)  # by the connection that there was
    for turns in range(TURNS):
        reading = asyncio.get_running_loop().create_task(_read())
        await _turns_of_the_loop(turns)
        await _refused_soon(reading, far)


async def _refused_soon(verb: Awaitable[object], far: Database) -> None:
    far.hurry(0)
    with _in(0):
        await _refused(verb)


async def test_who_connects_is_cancelled_at_whichever_moment(cable: Cable, far: Database) -> None:
    ends = []
    for turns in range(TURNS):
        await cable.reset()
        reading = asyncio.get_running_loop().create_task(_read())
        await _turns_of_the_loop(turns)
        reading.cancel()
        await asyncio.wait({reading})
        ends.append(reading.cancelled())
    assert ends == [True] * TURNS
    assert await agents.everyone() == []
