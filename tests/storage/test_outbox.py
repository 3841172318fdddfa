"""Messages to be delivered, begun, received and given up."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial

import pytest
from tortoise.transactions import in_transaction

from storage import conversations, outbox, turns
from storage.database import Database
from storage.errors import LeaseLost
from storage.lease import Lease
from storage.models import OutboxMessage, OutboxState, TurnState
from storage.turns import Ending
from tests.patience import PATIENCE
from tests.storage import given, sql

SERVERS = ["postgres", "mysql"]  # a file has one writer
pytestmark = pytest.mark.usefixtures("database")


async def test_a_delivered_message_is_due_no_more(now: datetime) -> None:
    where = await given.conversation(now)
    await given.received(where, "k1", now)
    lease = await given.leased(where, now)
    turn = await given.opened(lease, now)
    await given.answered(lease, turn, now)
    [row] = await outbox.due(where.id)
    await outbox.begin(lease, outbox_id=row.id, now=now)
    await outbox.delivered(lease, outbox_id=row.id, message_id="m7", now=now)
    assert await outbox.due(where.id) == []
    [row] = await outbox.of_turn(turn.turn.id)
    assert (row.state, row.message_id, row.attempts) == (OutboxState.DELIVERED, "m7", 1)


async def test_with_the_last_message_a_conversation_is_given_back(now: datetime) -> None:
    lease, row = await delivering(now)
    assert await outbox.delivered(lease, outbox_id=row.id, message_id="m1", now=now, leaves=True)
    [where] = await conversations.everything()
    assert (where.owner, where.ready_at, where.token) == (None, None, lease.token + 1)
    assert await outbox.due(where.id) == []


async def test_while_more_is_due_or_waits_a_conversation_stays(now: datetime) -> None:
    lease, row = await delivering(now, parts=["one", "two"])
    first = partial(outbox.delivered, lease, outbox_id=row.id, message_id="m1", now=now)
    assert not await first(leaves=True)
    [other] = await outbox.due(lease.conversation_id)
    await given.received(await conversations.by_id(lease.conversation_id), "k2", now)
    second = partial(outbox.delivered, lease, outbox_id=other.id, message_id="m2", now=now)
    assert not await second(leaves=True)
    assert await outbox.due(lease.conversation_id) == []
    await conversations.keep(lease, now)


@pytest.mark.parametrize("url", SERVERS, indirect=True)
async def test_a_conversation_stays_for_what_is_stored_while_it_is_given_back(
    now: datetime, database: Database
) -> None:
    """Whoever gives it back waits for who stores, and sees then what was stored."""
    lease, row = await delivering(now)
    where = await conversations.by_id(lease.conversation_id)
    is_stored = asyncio.Event()

    async def leave() -> bool:
        await is_stored.wait()
        return await outbox.delivered(
            lease, outbox_id=row.id, message_id="m1", now=now, leaves=True
        )

    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        leaving = group.create_task(leave())
        async with in_transaction():
            await given.received(where, "k2", now)
            is_stored.set()
            await sql.somebody_waits(database)
    assert not leaving.result()
    await conversations.keep(lease, now)
    assert await outbox.due(where.id) == []


async def test_a_zombie_can_record_no_receipt(now: datetime) -> None:
    zombie, row = await delivering(now)
    later = now + timedelta(seconds=60)
    lease = await given.leased(await conversations.by_id(zombie.conversation_id), later)
    for leaves in (False, True):
        with pytest.raises(LeaseLost):
            await outbox.delivered(
                zombie, outbox_id=row.id, message_id="m1", now=later, leaves=leaves
            )
    assert [each.id for each in await outbox.due(lease.conversation_id)] == [row.id]


async def delivering(now: datetime, parts: Sequence[str] = ("one",)) -> tuple[Lease, OutboxMessage]:
    """A conversation with the first message that it has to deliver."""
    where = await given.conversation(now)
    await given.received(where, "k1", now)
    lease = await given.leased(where, now)
    turn = await given.opened(lease, now)
    await turns.end(lease, turn, Ending(state=TurnState.DONE, entries=[], parts=parts), now)
    return lease, (await outbox.due(where.id))[0]


async def test_what_is_recorded_of_a_message_is_recorded_of_no_other(now: datetime) -> None:
    where = await given.conversation(now)
    await given.received(where, "k1", now)
    lease = await given.leased(where, now)
    turn = await given.opened(lease, now)
    ending = Ending(state=TurnState.DONE, entries=[], parts=["one", "two", "three"])
    await turns.end(lease, turn, ending, now)
    first, second, third = await outbox.due(where.id)
    await outbox.begin(lease, outbox_id=first.id, now=now)
    await outbox.fail(lease, outbox_id=first.id)
    await outbox.opened(lease, outbox_id=first.id, message_id="m1")
    await outbox.delivered(lease, outbox_id=first.id, message_id="m1", now=now)
    await outbox.bury(lease, outbox_id=second.id, now=now)
    rows = [
        (row.state, row.attempts, row.failures, row.tried_at, row.message_id)
        for row in await outbox.of_turn(turn.turn.id)
    ]
    assert rows == [
        (OutboxState.DELIVERED, 1, 1, now, "m1"),
        (OutboxState.DEAD, 0, 0, None, None),
        (OutboxState.DUE, 0, 0, None, None),
    ]
    assert [row.id for row in await outbox.due(where.id)] == [third.id]


async def test_an_answer_is_due_as_a_whole_before_the_next_one(now: datetime) -> None:
    where = await given.conversation(now)
    for key, parts in (("k1", ["one", "two"]), ("k2", ["three", "four"])):
        await given.received(where, key, now)
        lease = await given.leased(where, now)
        turn = await given.opened(lease, now)
        ending = Ending(state=TurnState.DONE, entries=[], parts=parts)
        await turns.end(lease, turn, ending, now)
        await conversations.release(lease, now)
    assert [row.text for row in await outbox.due(where.id)] == ["one", "two", "three", "four"]


async def test_a_message_that_was_begun_shows_it(now: datetime) -> None:
    where = await given.conversation(now)
    await given.received(where, "k1", now)
    lease = await given.leased(where, now)
    turn = await given.opened(lease, now)
    await outbox.begin(lease, outbox_id=turn.draft.id, now=now)
    await outbox.opened(lease, outbox_id=turn.draft.id, message_id="m1")
    await given.answered(lease, turn, now)
    [row] = await outbox.due(where.id)
    assert (row.message_id, row.attempts) == ("m1", 1)


async def test_the_last_try_to_post_is_on_record(now: datetime) -> None:
    where = await given.conversation(now)
    await given.received(where, "k1", now)
    lease = await given.leased(where, now)
    turn = await given.opened(lease, now)
    await given.answered(lease, turn, now)
    for minutes in (1, 2):
        at = now + timedelta(minutes=minutes)
        await outbox.begin(lease, outbox_id=turn.draft.id, now=at)
        [row] = await outbox.due(where.id)
        assert (row.attempts, row.tried_at) == (minutes, at)


async def test_a_message_given_up_is_due_no_more(now: datetime) -> None:
    where = await given.conversation(now)
    await given.received(where, "k1", now)
    lease = await given.leased(where, now)
    turn = await given.opened(lease, now)
    await given.answered(lease, turn, now)
    [row] = await outbox.due(where.id)
    await outbox.bury(lease, outbox_id=row.id, now=now)
    assert await outbox.due(where.id) == []


async def test_a_zombie_can_begin_no_delivery(now: datetime) -> None:
    where = await given.conversation(now)
    await given.received(where, "k1", now)
    zombie = await given.leased(where, now)
    turn = await given.opened(zombie, now)
    await given.answered(zombie, turn, now)
    [row] = await outbox.due(where.id)
    await given.leased(where, now + timedelta(minutes=1), owner="other")
    with pytest.raises(LeaseLost):
        await outbox.begin(zombie, outbox_id=row.id, now=now)
    with pytest.raises(LeaseLost):
        await outbox.fail(zombie, outbox_id=row.id)
    with pytest.raises(LeaseLost):
        await outbox.delivered(zombie, outbox_id=row.id, message_id="m", now=now)


async def test_a_zombie_can_neither_record_an_opening_nor_give_a_message_up(now: datetime) -> None:
    where = await given.conversation(now)
    await given.received(where, "k1", now)
    zombie = await given.leased(where, now)
    turn = await given.opened(zombie, now)
    await given.answered(zombie, turn, now)
    [row] = await outbox.due(where.id)
    await given.leased(where, now + timedelta(minutes=1), owner="other")
    with pytest.raises(LeaseLost):
        await outbox.opened(zombie, outbox_id=row.id, message_id="m")
    with pytest.raises(LeaseLost):
        await outbox.bury(zombie, outbox_id=row.id, now=now)
    assert [(each.id, each.message_id) for each in await outbox.due(where.id)] == [(row.id, None)]
