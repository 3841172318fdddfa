"""Messages received, each once, in the order of the platform."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from storage import conversations, inbox, turns
from storage.allowances import Limit, UsedUp
from storage.conversations import Place, Removed
from storage.database import Database
from storage.drivers.transaction import transaction, write_first
from storage.inbox import Edit
from storage.lease import fence
from storage.models import Agent, Conversation, InboxMessage, InboxState
from tests.storage import given, sql

pytestmark = pytest.mark.usefixtures("database")


def _received(
    conversation_id: int,
    key: str,
    now: datetime,
    *,
    text: str = "text",
    reply_to: str | None = None,
) -> inbox.NewMessage:
    return inbox.NewMessage(
        key=key,
        conversation_id=conversation_id,
        position=1,
        author_id="ana",
        author="ana",
        text=text,
        reply_to=reply_to,
        sent_at=now,
    )


async def _place(now: datetime) -> Place:
    """Where nothing was said yet."""
    where = await given.conversation(now)
    return Place(
        agent_id=where.agent_id, address="terminal/new", queue="terminal/new", readers="thread"
    )


async def _better(key: str, _: datetime) -> Edit:
    return await inbox.change(key, "better")


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


async def test_a_conversation_is_opened_with_its_first_message(now: datetime) -> None:
    place = await _place(now)
    opened = await inbox.add_first(_received(0, "k1", now), now, place=place)
    assert opened
    found = await conversations.find(agent_id=place.agent_id, address=place.address)
    assert found
    for each in (opened, found):
        assert (each.id, each.address, each.queue) == (found.id, place.address, place.queue)
        assert (each.readers, each.opened_by, each.created_at) == (place.readers, "ana", now)
        assert (each.last_seq, each.last_turn, each.owner) == (0, 0, None)
    assert [message.key for message in await inbox.unanswered(opened.id)] == ["k1"]
    (ready,) = await conversations.all_ready(queues=[place.queue], now=now, limit=9)
    assert ready.id == opened.id


async def test_nothing_is_opened_or_stored_where_either_is_there(now: datetime) -> None:
    where, place = await given.conversation(now), await _place(now)
    here = replace(place, address=where.address)
    assert await inbox.add_first(_received(0, "k1", now), now, place=here) is None
    assert await inbox.by_key("k1") is None
    await given.received(where, "k2", now)
    assert await inbox.add_first(_received(0, "k2", now), now, place=place) is None
    assert await conversations.find(agent_id=place.agent_id, address=place.address) is None


async def test_of_many_first_messages_at_once_one_opens(now: datetime) -> None:
    place = await _place(now)
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(inbox.add_first(_received(0, f"k{n}", now), now, place=place))
            for n in range(12)
        ]
    (opened,) = filter(None, (task.result() for task in tasks))
    assert len(await inbox.unanswered(opened.id)) == await InboxMessage.all().count() == 1


async def test_a_first_message_that_is_one_too_many_opens_nothing(now: datetime) -> None:
    place, limit = await _place(now), Limit(whom="asked//terminal/ana", most=1, seconds=60)
    other = replace(place, address="terminal/other")
    assert await inbox.add_first(_received(0, "k1", now), now, [limit], place=place)
    with pytest.raises(UsedUp):
        await inbox.add_first(_received(0, "k2", now), now, [limit], place=other)
    assert await conversations.find(agent_id=place.agent_id, address=other.address) is None
    assert await inbox.by_key("k2") is None


async def test_a_first_message_counts_for_when_it_was_said_but_for_no_later_moment(
    now: datetime,
) -> None:
    place, limit = await _place(now), Limit(whom="asked//terminal/ana", most=1, seconds=60)
    for minutes in (-2, 2):
        message = _received(0, f"k{minutes}", now + timedelta(minutes=minutes))
        there = replace(place, address=f"terminal/{minutes}")
        assert await inbox.add_first(message, now, [limit], place=there)
    with pytest.raises(UsedUp):
        await inbox.add_first(_received(0, "k0", now), now, [limit], place=place)


async def test_what_waits_is_in_the_order_of_the_platform(now: datetime) -> None:
    where = await given.conversation(now)
    await given.received(where, "late", now, position=30)
    await given.received(where, "early", now, position=10)
    assert [message.key for message in await inbox.unanswered(where.id)] == ["early", "late"]


async def test_a_message_is_found_by_its_key_as_it_was_stored(now: datetime) -> None:
    where = await given.conversation(now)
    said_at = now + timedelta(microseconds=7)
    await given.received(where, "k1", said_at)
    message = await inbox.by_key("k1")
    assert message
    assert (message.text, message.state, message.sent_at) == (
        "text of k1",
        InboxState.WAITING,
        said_at,
    )
    assert await inbox.by_key("k2") is None


async def test_a_megabyte_of_any_characters_comes_back_as_it_was(now: datetime) -> None:
    where = await given.conversation(now)
    text = "äö🛟\t\"'%s?$1\n" * 80_000
    await inbox.add(_received(where.id, "big", now, text=text), now)
    message = await inbox.by_key("big")
    assert message
    assert message.text == text


async def test_a_message_that_nobody_has_begun_to_answer_can_be_changed(now: datetime) -> None:
    where = await given.conversation(now)
    await given.received(where, "k1", now)
    assert await inbox.change("k1", "better") is Edit.WAITING
    assert await inbox.change("k1", "better") is Edit.UNCHANGED
    assert [message.text for message in await inbox.unanswered(where.id)] == ["better"]


async def test_a_message_that_nobody_has_begun_to_answer_can_be_withdrawn(now: datetime) -> None:
    where = await given.conversation(now)
    await given.received(where, "k1", now)
    assert await inbox.withdraw("k1", now) is Edit.WAITING
    assert await inbox.withdraw("k1", now) is Edit.TOO_LATE
    assert await inbox.unanswered(where.id) == []
    assert await inbox.change("nowhere", "better") is Edit.TOO_LATE


async def test_a_message_that_is_being_answered_is_changed_with_its_turn(now: datetime) -> None:
    where = await given.conversation(now)
    await given.received(where, "k1", now)
    opened = await given.opened(await given.leased(where, now), now)
    assert await inbox.change("k1", "better") is Edit.TAKEN
    assert await inbox.change("k1", "better") is Edit.UNCHANGED
    [message] = await inbox.unanswered(where.id)
    assert (message.text, message.state) == ("better", InboxState.TAKEN)
    assert (await turns.by_id(opened.turn.id)).edits == 1


async def test_a_message_that_is_deleted_while_it_is_answered_stops_its_turn(now: datetime) -> None:
    where = await given.conversation(now)
    await given.received(where, "k1", now)
    await given.received(where, "k2", now, position=2)
    opened = await given.opened(await given.leased(where, now), now)
    assert await inbox.withdraw("k1", now) is Edit.TAKEN
    assert (await turns.by_id(opened.turn.id)).stop_asked_at is None  # it answers another one
    assert await inbox.withdraw("k2", now) is Edit.TAKEN
    turn = await turns.by_id(opened.turn.id)
    assert (turn.stop_asked_at, turn.edits) == (now, 2)
    assert [message.text for message in await inbox.of_turn(opened.turn.id)] == ["", ""]


async def test_of_a_message_that_is_deleted_no_file_is_left(now: datetime) -> None:
    where = await given.conversation(now)
    for key in ("k1", "k2"):
        await given.received(where, key, now)
        await InboxMessage.filter(key=key).update(attachments=[{"name": "plan.txt"}])
        if key == "k1":
            lease = await given.leased(where, now)
            await given.answered(lease, await given.opened(lease, now), now)
        await inbox.withdraw(key, now)
    assert [message.attachments for message in await InboxMessage.all()] == [[], []]


async def test_an_edit_that_comes_after_the_deletion_brings_nothing_back(now: datetime) -> None:
    """As one that a platform delivers again, since nobody had taken it."""
    where = await given.conversation(now)
    await given.received(where, "k1", now)
    opened = await given.opened(await given.leased(where, now), now)
    await inbox.withdraw("k1", now)
    assert await inbox.change("k1", "better") is Edit.TOO_LATE
    assert [message.text for message in await inbox.of_turn(opened.turn.id)] == [""]


async def test_a_message_that_is_answered_stays_but_for_its_words_if_it_is_deleted(
    now: datetime,
) -> None:
    where = await given.conversation(now)
    await given.received(where, "k1", now)
    lease = await given.leased(where, now)
    await given.answered(lease, await given.opened(lease, now), now)
    assert await inbox.change("k1", "better") is Edit.TOO_LATE
    assert [message.text for message in await InboxMessage.all()] == ["text of k1"]
    assert await inbox.withdraw("k1", now) is Edit.TOO_LATE
    [message] = await InboxMessage.all()
    assert (message.text, message.state) == ("", InboxState.ANSWERED)


async def test_the_first_message_of_a_place_is_known(now: datetime) -> None:
    where = await given.conversation(now)
    for key, thread in (("k1", "t1"), ("k2", "t1"), ("k3", "t2"), ("k4", None), ("k5", None)):
        await inbox.add(_received(where.id, key, now, reply_to=thread), now)
    first = [key for key in ("k1", "k2", "k3", "k4", "k5") if await inbox.is_first(key)]
    assert first == ["k1", "k3", "k4"]


async def test_all_that_waits_is_counted(now: datetime) -> None:
    assert await inbox.count_waiting() == 0
    one, two = [await given.conversation(now, room=room) for room in ("one", "two")]
    for where in (one, two):
        await given.received(where, f"{where.id}a", now)
        await given.received(where, f"{where.id}b", now, author="bob", position=2)
    await given.opened(await given.leased(one, now), now)
    assert await inbox.count_waiting() == 3


@pytest.mark.parametrize("verb", [inbox.withdraw, _better])
async def test_a_message_that_somebody_is_taking_is_neither_changed_nor_withdrawn(
    database: Database, now: datetime, verb: Callable[[str, datetime], Coroutine[None, None, Edit]]
) -> None:
    where = await given.conversation(now)
    await given.received(where, "k1", now)
    lease = await given.leased(where, now)
    has_read, may_take = asyncio.Event(), asyncio.Event()

    @write_first
    async def take() -> str:
        await fence(lease, now)
        message = await InboxMessage.get(key="k1", state=InboxState.WAITING)
        has_read.set()
        await may_take.wait()
        await InboxMessage.filter(id=message.id).update(state=InboxState.TAKEN)
        return message.text

    async with asyncio.TaskGroup() as group:
        taking = group.create_task(take())
        await has_read.wait()
        trying = group.create_task(verb("k1", now))
        await sql.done_or_blocked(database, trying)
        may_take.set()
    assert (trying.result(), taking.result()) == (Edit.TOO_LATE, "text of k1")
    [message] = await inbox.unanswered(where.id)
    assert (message.state, message.text) == (InboxState.TAKEN, "text of k1")


async def test_of_two_questions_that_are_deleted_at_once_none_is_answered(
    database: Database, now: datetime
) -> None:
    """Each reads the other one as it is when both have waited for the conversation."""
    where = await given.conversation(now)
    for key in ("k1", "k2"):
        await given.received(where, key, now)
    lease = await given.leased(where, now)
    opened = await given.opened(lease, now)
    is_locked, may_go_on = asyncio.Event(), asyncio.Event()

    @write_first
    async def hold() -> None:
        await fence(lease, now)
        is_locked.set()
        await may_go_on.wait()

    async with asyncio.TaskGroup() as group:
        group.create_task(hold())
        await is_locked.wait()
        deleting = [group.create_task(inbox.withdraw(key, now)) for key in ("k1", "k2")]
        await sql.done_or_blocked(database, *deleting)
        may_go_on.set()
    assert (await turns.by_id(opened.turn.id)).stop_asked_at == now


async def test_nothing_is_opened_for_an_agent_that_is_being_removed(
    database: Database, now: datetime
) -> None:
    place = await _place(now)
    is_locked, may_go_on = asyncio.Event(), asyncio.Event()

    @transaction
    async def remove() -> None:
        await Agent.filter(id=place.agent_id).select_for_update().only("id")
        is_locked.set()
        await may_go_on.wait()
        await Conversation.filter(agent_id=place.agent_id).delete()
        await Agent.filter(id=place.agent_id).delete()

    async def open_late() -> None:
        with suppress(Removed):
            await inbox.add_first(_received(0, "k1", now), now, place=place)

    async with asyncio.TaskGroup() as group:
        group.create_task(remove())
        await is_locked.wait()
        opening = group.create_task(open_late())
        await sql.done_or_blocked(database, opening)
        may_go_on.set()
    assert (await Conversation.all().count(), await InboxMessage.all().count()) == (0, 0)


async def test_what_waits_on_a_platform_is_found_and_what_is_answered_is_not(
    now: datetime,
) -> None:
    where = await given.conversation(now)
    for key in ("k1", "k2"):
        await given.received(where, key, now)
    assert await inbox.unanswered_in(where.queue, 9) == ["k1", "k2"]
    assert await inbox.unanswered_in(where.queue, 1) == ["k1"]
    assert await inbox.unanswered_in("elsewhere", 9) == []
    lease = await given.leased(where, now)
    opened = await given.opened(lease, now)
    assert await inbox.unanswered_in(where.queue, 9) == ["k1", "k2"]
    await given.answered(lease, opened, now)
    assert await inbox.unanswered_in(where.queue, 9) == []
