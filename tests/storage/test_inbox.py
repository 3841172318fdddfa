"""Messages received, each once, in the order of the platform."""

from __future__ import annotations

import asyncio
from datetime import datetime

import pytest

from storage import inbox
from storage.models import InboxState
from tests.storage import given

pytestmark = pytest.mark.usefixtures("database")


async def test_a_second_delivery_of_a_message_is_not_stored(now: datetime) -> None:
    where = await given.conversation(now)
    assert await given.received(where, "k1", now)
    assert not await given.received(where, "k1", now)
    assert [message.key for message in await inbox.unanswered(where.id)] == ["k1"]


async def test_of_many_deliveries_at_once_one_is_stored(now: datetime) -> None:
    where = await given.conversation(now)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(given.received(where, "k1", now)) for _ in range(12)]
    assert sum(task.result() for task in tasks) == 1


async def test_what_waits_is_in_the_order_of_the_platform(now: datetime) -> None:
    where = await given.conversation(now)
    await given.received(where, "late", now, position=30)
    await given.received(where, "early", now, position=10)
    assert [message.key for message in await inbox.unanswered(where.id)] == ["early", "late"]


async def test_a_message_is_found_by_its_key_as_it_was_stored(now: datetime) -> None:
    where = await given.conversation(now)
    await given.received(where, "k1", now)
    message = await inbox.by_key("k1")
    assert message
    assert (message.text, message.state, message.sent_at) == (
        "text of k1",
        InboxState.WAITING,
        now,
    )
    assert await inbox.by_key("k2") is None


async def test_a_megabyte_of_any_characters_comes_back_as_it_was(now: datetime) -> None:
    where = await given.conversation(now)
    text = "äö🛟\t\"'%s?$1\n" * 80_000
    await inbox.add(
        inbox.Received(
            key="big",
            conversation_id=where.id,
            position=1,
            author_id="ana",
            author="ana",
            text=text,
            reply_to=None,
            sent_at=now,
        ),
        now,
    )
    message = await inbox.by_key("big")
    assert message
    assert message.text == text
