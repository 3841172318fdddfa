"""What has a limit is counted with what is stored, exactly, whoever counts at the same time."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import pytest

from storage import allowances, inbox
from storage.allowances import Limit, UsedUp
from storage.models import Allowance, InboxMessage
from tests.storage import given

pytestmark = pytest.mark.usefixtures("database")

ANA = Limit(whom="asked//slack/U0ANA", most=2, seconds=60)
CHANNEL = Limit(whom="asked//slack/T1/C1", most=3, seconds=60)
SECOND = timedelta(seconds=1)


async def say(key: str, now: datetime, *limits: Limit, room: str = "main") -> bool:
    """A message that is counted."""
    where = await given.conversation(now, room=room)
    received = inbox.NewMessage(
        key=key,
        conversation_id=where.id,
        position=1,
        author_id="ana",
        author="ana",
        text="hello",
        reply_to=None,
        sent_at=now,
    )
    return await inbox.add(received, now, limits)


async def test_one_too_many_is_not_stored_and_says_when_it_would_be(now: datetime) -> None:
    await say("q1", now, ANA)
    await say("q2", now + SECOND, ANA)
    with pytest.raises(UsedUp) as used_up:
        await say("q3", now + 2 * SECOND, ANA)
    assert (used_up.value.limit, used_up.value.again_at) == (ANA, now + 60 * SECOND)
    assert await inbox.by_key("q3") is None
    with pytest.raises(UsedUp):
        await say("q3", now + 59 * SECOND, ANA)
    assert await say("q3", now + 60 * SECOND, ANA)
    with pytest.raises(UsedUp):
        await say("q4", now + 60 * SECOND, ANA)


async def test_what_comes_twice_is_counted_once(now: datetime) -> None:
    for _ in range(3):
        await say("q1", now, ANA)
    assert await say("q2", now, ANA)
    assert not await say("q1", now, ANA)  # known, though there is no room for another one


async def test_what_one_limit_refuses_is_counted_for_no_other(now: datetime) -> None:
    await say("q1", now, ANA, CHANNEL)
    await say("q2", now, ANA, CHANNEL)
    with pytest.raises(UsedUp) as used_up:
        await say("q3", now, ANA, CHANNEL)
    assert used_up.value.limit == ANA
    assert await say("q4", now, CHANNEL)
    with pytest.raises(UsedUp) as used_up:
        await say("q5", now, CHANNEL)
    assert used_up.value.limit == CHANNEL


async def test_without_limits_nothing_is_counted(now: datetime) -> None:
    await say("q1", now)
    assert not await Allowance.exists()


async def test_many_at_once_in_many_rooms_are_no_more_than_may_be(now: datetime) -> None:
    async def ask(number: int) -> bool:
        try:
            return await say(f"q{number}", now, CHANNEL, ANA, room=f"room {number}")
        except UsedUp:
            return False

    await ask(0)
    async with asyncio.TaskGroup() as group:
        asking = [group.create_task(ask(number)) for number in range(1, 7)]
    assert sum(task.result() for task in asking) == ANA.most - 1
    assert await InboxMessage.all().count() == ANA.most


async def test_a_lower_limit_holds_at_once(now: datetime) -> None:
    for key in ("q1", "q2", "q3"):
        await say(key, now, CHANNEL)
    assert not await allowances.use(Limit(whom=CHANNEL.whom, most=1, seconds=60), now)


async def test_who_has_long_asked_nothing_is_forgotten(now: datetime) -> None:
    assert await allowances.use(ANA, now)
    assert await allowances.use(CHANNEL, now + 30 * SECOND)
    assert await allowances.drop_idle(now + 59 * SECOND) == 0
    assert await allowances.drop_idle(now + 61 * SECOND) == 1
    [left] = await Allowance.all()
    assert left.whom == CHANNEL.whom
