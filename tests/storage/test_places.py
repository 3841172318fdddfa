"""What went on at an address lately."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from storage import places
from tests.storage import given

pytestmark = pytest.mark.usefixtures("database")

DAY = timedelta(days=1)


async def test_conversations_come_with_the_newest_message_first(now: datetime) -> None:
    for number, room in enumerate(("one", "two", "one")):
        where = await given.conversation(now, room=room)
        await given.received(where, f"k{number}", now)
    found = await places.recent_conversations("terminal", since=now - DAY, limit=10)
    assert found == ["terminal/one", "terminal/two"]


async def test_conversations_without_a_recent_message_are_left_out(now: datetime) -> None:
    await given.received(await given.conversation(now, room="old"), "k1", now - 2 * DAY)
    await given.received(await given.conversation(now, room="new"), "k2", now)
    await given.conversation(now, room="silent")
    found = await places.recent_conversations("terminal", since=now - DAY, limit=10)
    assert found == ["terminal/new"]


async def test_no_more_conversations_come_than_are_asked_for(now: datetime) -> None:
    for number in range(4):
        await given.received(await given.conversation(now, room=f"r{number}"), f"k{number}", now)
    found = await places.recent_conversations("terminal", since=now - DAY, limit=2)
    assert found == ["terminal/r3", "terminal/r2"]


async def test_an_address_of_two_agents_comes_once(now: datetime) -> None:
    for agent in ("support", "critic"):
        await given.received(await given.conversation(now, agent=agent), agent, now)
    found = await places.recent_conversations("terminal/main", since=now - DAY, limit=10)
    assert found == ["terminal/main"]
