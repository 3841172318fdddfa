"""Conversations opened, claimed, taken over, released and handed over."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from functools import partial

import pytest

from storage import agents, claims, conversations, inbox, outbox, steps, turns
from storage.claims import OpenTurn
from storage.conversations import Apart
from storage.database import Database
from storage.drivers.script import Script, Statement, inside, reading_script, rows
from storage.drivers.transaction import transaction
from storage.errors import LeaseLost
from storage.lease import Lease
from storage.models import Conversation, OutboxMessage, OutboxState, Step, StepKind
from storage.steps import FinishedStep
from tests.patience import PATIENCE
from tests.storage import given, sql

pytestmark = pytest.mark.usefixtures("database")


async def _queue(now: datetime, *, owner: str = "me", limit: int = 10) -> list[int]:
    found = await conversations.all_ready(queues=["terminal/main"], now=now, limit=limit)
    return [each.id for each in found if await given.claimed(each.id, now, owner=owner)]


async def test_forty_that_open_a_conversation_at_once_get_the_same_one(now: datetime) -> None:
    first = await given.conversation(now)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(given.conversation(now)) for _ in range(40)]
    assert {task.result().id for task in tasks} == {first.id}


async def test_an_idle_conversation_cannot_be_claimed(now: datetime) -> None:
    await given.conversation(now)
    assert await _queue(now) == []


async def test_a_message_makes_its_conversation_claimable_once(now: datetime) -> None:
    where = await given.conversation(now)
    await given.received(where, "k1", now)
    assert await _queue(now) == [where.id]
    assert await _queue(now) == []


async def test_a_queue_of_others_is_left_alone(now: datetime) -> None:
    where = await given.conversation(now, room="elsewhere")
    await given.received(where, "k1", now)
    assert await _queue(now) == []


async def test_of_several_queues_the_oldest_come_first(now: datetime) -> None:
    queues = ["terminal/b", "terminal/a", "terminal/c"]
    for number, room in enumerate(["c", "a", "b", "a", "d"]):
        agent = await agents.record(name=f"agent{number}", revision="r1", config={}, now=now)
        where = await conversations.find_or_open(
            agent_id=agent.id, address=f"terminal/{room}", queue=f"terminal/{room}", author="ana",
            now=now,
        )  # fmt: skip
        await given.received(where, f"k{number}", now + timedelta(seconds=number))
    later = now + timedelta(minutes=1)
    assert await conversations.all_ready(queues=[], now=later, limit=1) == []
    for limit in (3, 10):
        found = await conversations.all_ready(queues=[*queues, *queues], now=later, limit=limit)
        rooms = [each.address.removeprefix("terminal/") for each in found]
        assert rooms == ["c", "a", "b", "a"][:limit]


@pytest.mark.parametrize("url", ["postgres"], indirect=True)
async def test_of_very_many_that_wait_few_are_looked_at(now: datetime, database: Database) -> None:
    queues = ["slack", "discord"]
    agent = await agents.record(name="support", revision="r1", config={}, now=now)
    told = {"agent_id": agent.id, "opened_by": "ana", "created_at": now, "ready_at": 1}
    await Conversation.bulk_create(
        Conversation(**told, queue=queue, address=f"{queue}/T/{number}")
        for queue in queues
        for number in range(2_000)
    )
    await sql.rows(database, "ANALYZE")
    look = inside(conversations.all_ready)
    (asked,) = next(look(queues=queues, now=now, limit=32))
    found = await _explained(asked)
    assert found.count("conversation_ready") == len(queues)
    assert not re.search(r"rows=\d{3,} loops", found), found


@reading_script
def _explained(asked: Statement) -> Script[str]:
    """How the server has found this, and how many rows it read on its way."""
    lines = yield from rows(f"EXPLAIN (ANALYZE, COSTS OFF) {asked.text}", *asked.values)
    return "\n".join(str(line[0]) for line in lines)


async def test_channels_that_are_left_out_keep_their_work(now: datetime) -> None:
    """Ids are taken as they are, also where LIKE knows their characters."""
    left_out, others = ["a_b%", "a_b%/1", "c", "c/1"], ["axb", "axb/1", "a_b%c", "ab", "d/c"]
    agent = await agents.record(name="support", revision="r1", config={}, now=now)
    for room in [*left_out, *others]:
        where = await conversations.find_or_open(
            agent_id=agent.id, address=f"slack/T/{room}", queue="slack", author="ana", now=now
        )
        await given.received(where, room, now)
    find = partial(conversations.all_ready, queues=["slack"], now=now, limit=10)
    found = await find(apart_from=Apart(addresses=["slack/T/a_b%", "slack/T/c"]))
    assert sorted(each.address for each in found) == sorted(f"slack/T/{room}" for room in others)
    assert len(await find()) == len(left_out) + len(others)
    assert await find(apart_from=Apart(agents=[agent.id])) == []


async def test_a_lease_that_lapsed_in_a_channel_that_is_left_out_is_not_taken_over(
    now: datetime,
) -> None:
    where = await given.conversation(now)
    await given.received(where, "k1", now)
    await given.leased(where, now)
    later = now + timedelta(seconds=16)
    find = partial(conversations.all_ready, queues=[where.queue], now=later, limit=1)
    assert await find(apart_from=Apart(addresses=[where.address])) == []
    assert len(await find(apart_from=Apart(addresses=["terminal/other"]))) == 1


async def test_eight_claimers_get_each_conversation_once(now: datetime) -> None:
    rooms = [await given.conversation(now, agent=f"agent{n}") for n in range(10)]
    for room in rooms:
        await given.received(room, f"k{room.id}", now)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_queue(now, owner=f"worker{n}", limit=10)) for n in range(8)]
    claimed = sorted(row for task in tasks for row in task.result())
    assert claimed == [room.id for room in rooms]


async def test_a_lapsed_lease_is_taken_over_and_its_old_holder_writes_nothing(
    now: datetime,
) -> None:
    where = await given.conversation(now)
    await given.received(where, "k1", now)
    zombie = await given.leased(where, now)
    later = now + timedelta(seconds=16)
    heir = await given.leased(where, later, owner="other")
    assert heir.token > zombie.token
    with pytest.raises(LeaseLost):
        await conversations.keep(zombie, later)
    with pytest.raises(LeaseLost):
        await claims.open_next(zombie, plan=given.PLAN, now=later)
    with pytest.raises(LeaseLost):
        await turns.hand_over(zombie, later)
    with pytest.raises(LeaseLost):
        await conversations.release(zombie, later)


async def test_a_lease_that_is_kept_does_not_lapse(now: datetime) -> None:
    where = await given.conversation(now)
    await given.received(where, "k1", now)
    lease = await given.leased(where, now)
    await conversations.keep(lease, now + timedelta(seconds=10))
    assert await _queue(now + timedelta(seconds=20)) == []
    assert await _queue(now + timedelta(seconds=26)) == [where.id]


async def test_two_renewals_in_one_millisecond_are_two_renewals(now: datetime) -> None:
    where = await given.conversation(now)
    await given.received(where, "k1", now)
    lease = await given.leased(where, now)
    await conversations.keep(lease, now)
    await conversations.keep(lease, now)


async def test_a_conversation_released_with_nothing_to_do_is_idle(now: datetime) -> None:
    where = await given.conversation(now)
    await given.received(where, "k1", now)
    lease = await given.leased(where, now)
    turn = await given.opened(lease, now)
    await given.answered(lease, turn, now)
    [due] = await outbox.due(where.id)
    await outbox.delivered(lease, outbox_id=due.id, message_id="m1", now=now)
    await conversations.release(lease, now)
    assert await _queue(now + timedelta(days=1)) == []


async def test_a_conversation_is_left_only_when_nothing_waits_in_it(now: datetime) -> None:
    where = await given.conversation(now)
    await given.received(where, "k1", now)
    lease = await given.leased(where, now)
    assert not await conversations.leave_if_idle(lease)
    turn = await given.opened(lease, now)
    assert not await conversations.leave_if_idle(lease)
    await given.answered(lease, turn, now)
    assert not await conversations.leave_if_idle(lease)
    [due] = await outbox.due(where.id)
    await outbox.delivered(lease, outbox_id=due.id, message_id="m1", now=now)
    assert await conversations.leave_if_idle(lease)
    assert await _queue(now + timedelta(days=1)) == []
    with pytest.raises(LeaseLost):
        await conversations.leave_if_idle(lease)


async def test_a_conversation_released_with_work_left_is_claimable_when_told(
    now: datetime,
) -> None:
    where = await given.conversation(now)
    await given.received(where, "k1", now)
    lease = await given.leased(where, now)
    await conversations.release(lease, now, not_before=now + timedelta(seconds=5))
    assert await _queue(now + timedelta(seconds=4)) == []
    assert await _queue(now + timedelta(seconds=5)) == [where.id]


async def test_a_message_that_comes_while_the_conversation_is_released_is_not_lost(
    now: datetime,
) -> None:
    where = await given.conversation(now)
    for number in range(10):
        await given.received(where, f"first{number}", now)
        lease = await given.leased(where, now)
        turn = await given.opened(lease, now)
        await given.answered(lease, turn, now)
        for row in await outbox.due(where.id):
            await outbox.delivered(lease, outbox_id=row.id, message_id="m1", now=now)
        async with asyncio.TaskGroup() as group:
            group.create_task(given.received(where, f"second{number}", now))
            leaving = group.create_task(conversations.leave_if_idle(lease))
        if leaving.result():
            lease = await given.leased(where, now)
        turn = await given.opened(lease, now)
        assert [question.key for question in turn.questions] == [f"second{number}"]
        await given.answered(lease, turn, now)
        for row in await outbox.due(where.id):
            await outbox.delivered(lease, outbox_id=row.id, message_id="m1", now=now)
        await conversations.release(lease, now)


@pytest.mark.parametrize(
    ("free", "is_takeover"), [(conversations.release_all, False), (conversations.take_from, True)]
)
async def test_what_an_owner_held_is_claimable_at_once_when_it_is_gone(
    now: datetime, free: Callable[[list[str], datetime], Awaitable[int]], *, is_takeover: bool
) -> None:
    where = await given.conversation(now)
    await given.received(where, "k1", now)
    lease = await given.leased(where, now, owner="gone")
    assert await free(["gone"], now) == 1
    with pytest.raises(LeaseLost):
        await conversations.keep(lease, now)
    assert (await given.leased(where, now, owner="other")).is_takeover == is_takeover


async def test_a_turn_handed_over_goes_on_at_once_and_does_not_count_as_an_attempt(
    now: datetime,
) -> None:
    where = await given.conversation(now)
    await given.received(where, "k1", now)
    lease = await given.leased(where, now)
    first = await given.opened(lease, now)
    await turns.hand_over(lease, now)
    heir = await given.leased(where, now, owner="other")
    second = await given.opened(heir, now)
    assert (second.turn.id, second.turn.attempts) == (first.turn.id, 1)


async def test_everything_lists_conversations_in_the_order_they_were_opened(
    now: datetime,
) -> None:
    first = await given.conversation(now, room="b")
    second = await given.conversation(now, room="a")
    assert [row.id for row in await conversations.everything()] == [first.id, second.id]


async def test_a_conversation_nobody_opened_is_not_found(database: Database, now: datetime) -> None:
    where = await given.conversation(now)
    found = await conversations.find(agent_id=where.agent_id, address="terminal/main")
    assert found
    assert found.id == where.id
    assert await conversations.find(agent_id=where.agent_id, address="terminal/x") is None
    assert await inbox.unanswered(where.id) == []


async def test_opening_that_is_cancelled_tears_nothing(now: datetime) -> None:
    where = await given.conversation(now)
    for number in range(200):
        opening = asyncio.create_task(  # noqa: TID251  # cancelled below
            conversations.find_or_open(
                agent_id=where.agent_id,
                address=f"terminal/cancelled{number}",
                queue="q",
                author="ana",
                now=now,
            )
        )
        await asyncio.sleep(number / 100_000)
        opening.cancel()
        await asyncio.wait({opening})
    async with asyncio.timeout(PATIENCE):
        await given.conversation(now, room="afterwards")


async def _refused(writing: Awaitable[object]) -> bool:
    try:
        await writing
    except LeaseLost:
        return True
    return False


async def _begin(lease: Lease, opened: OpenTurn, now: datetime) -> None:
    await outbox.begin(lease, outbox_id=opened.draft.id, now=now)


async def _record(lease: Lease, opened: OpenTurn, now: datetime) -> None:
    step = FinishedStep(
        turn_id=opened.turn.id, number=1, kind=StepKind.TOOL, content={}, is_first_try=True
    )
    await steps.record(lease, step, now)


async def _receipt(lease: Lease, opened: OpenTurn, now: datetime) -> None:
    await outbox.delivered(lease, outbox_id=opened.draft.id, message_id="m", now=now)


async def _ending(lease: Lease, opened: OpenTurn, now: datetime) -> None:
    await given.answered(lease, opened, now)


@pytest.mark.parametrize("write", [_begin, _record, _receipt, _ending])
async def test_who_writes_while_another_claims_waits_and_writes_nothing(
    now: datetime, write: Callable[[Lease, OpenTurn, datetime], Awaitable[object]]
) -> None:
    """A statement that looked at the lease as it was before would write."""
    where = await given.conversation(now)
    await given.received(where, "k1", now)
    lease = await given.leased(where, now)
    opened = await given.opened(lease, now)
    claimed, may_commit = asyncio.Event(), asyncio.Event()

    @transaction
    async def claim() -> None:
        await Conversation.filter(id=where.id).update(token=lease.token + 1)
        claimed.set()
        await may_commit.wait()

    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        group.create_task(claim())
        await claimed.wait()
        writing = group.create_task(_refused(write(lease, opened, now)))
        await asyncio.wait({writing}, timeout=0.1)  # time enough for one that does not wait
        may_commit.set()
    assert writing.result()
    row = await OutboxMessage.get(id=opened.draft.id)
    assert (row.attempts, row.state) == (0, OutboxState.DRAFT)
    assert await Step.all().count() == 0
