"""What went on at an address lately."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from storage import inbox, outbox, places, summaries, turns
from storage.lease import Lease
from storage.models import Conversation, StepKind
from storage.turns import FinishedStep, OpenTurn, Spent
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


async def _received(where: Conversation, key: str, now: datetime, *, thread: str) -> None:
    message = inbox.Received(
        key=key,
        conversation_id=where.id,
        position=1,
        author_id="ana",
        author="ana",
        text="text",
        reply_to=thread,
        sent_at=now,
    )
    await inbox.add(message, now)


async def _begun(room: str, now: datetime, *, thread: str = "t1") -> tuple[Lease, OpenTurn]:
    """An answer in a room, whose message is there."""
    where = await given.conversation(now, room=room)
    await _received(where, f"{room}{thread}", now, thread=thread)
    lease = await given.leased(where, now)
    turn = await given.opened(lease, now)
    await outbox.opened(lease, outbox_id=turn.draft.id, message_id=f"m-{room}", now=now)
    return lease, turn


async def test_what_waits_and_what_runs_below_an_address_is_known(now: datetime) -> None:
    _, turn = await _begun("busy", now)
    await given.received(await given.conversation(now, room="quiet"), "k1", now)
    assert await places.waiting("terminal") == await places.waiting("terminal/quiet") == 1
    assert await places.waiting("terminal/qui") == 0
    assert [row.id for row in await places.running("terminal")] == [turn.turn.id]
    assert await places.running("terminal/quiet") == []


async def test_what_runs_is_found_by_its_message_or_else_by_its_thread(now: datetime) -> None:
    _, one = await _begun("one", now, thread="t1")
    _, two = await _begun("two", now, thread="t2")
    for thread, messages, found in (
        ("t1", [], [one]),
        ("t1", ["m-two"], [two]),
        ("t2", ["m-gone"], [two]),
        ("t3", ["m-gone"], []),
    ):
        running = await places.running_in("terminal", thread=thread, message_ids=messages)
        assert [row.id for row in running] == [each.turn.id for each in found]


async def test_a_turn_is_found_by_its_id_or_its_message_where_it_was(now: datetime) -> None:
    _, turn = await _begun("one", now)
    by_id = await places.turn_of("terminal/one", turn_id=turn.turn.id, message_ids=[])
    by_message = await places.turn_of("terminal", turn_id=None, message_ids=["m-one", "m-gone"])
    assert by_id
    assert by_message
    assert by_id.id == by_message.id == turn.turn.id
    assert not await places.turn_of("terminal/two", turn_id=turn.turn.id, message_ids=[])
    assert not await places.turn_of("terminal", turn_id=None, message_ids=["m-gone"])


async def test_the_answer_that_ended_last_is_known(now: datetime) -> None:
    assert await places.newest_turn("terminal") is None
    lease, first = await _begun("one", now)
    await given.answered(lease, first, now)
    lease, second = await _begun("two", now)
    assert (await _newest()) == first.turn.id
    await given.answered(lease, second, now + DAY)
    assert (await _newest()) == second.turn.id


async def _newest() -> int | None:
    turn = await places.newest_turn("terminal")
    return turn.id if turn else None


async def test_the_agent_behind_a_message_is_known(now: datetime) -> None:
    await _begun("one", now)
    assert await places.agent_behind("terminal", "m-one") == "support"
    assert await places.agent_behind("terminal/two", "m-one") is None
    assert await places.agent_behind("terminal", "m-gone") is None


async def test_what_a_turn_did_and_used_is_known(now: datetime) -> None:
    lease, turn = await _begun("one", now)
    used = Spent(model="m", input_tokens=3, cached_tokens=2, output_tokens=1, nano_usd=None)
    for number, kind in enumerate((StepKind.MODEL, StepKind.TOOL), start=1):
        step = FinishedStep(turn_id=turn.turn.id, number=number, kind=kind, content={}, spent=used)
        await turns.record(lease, step, now)
    assert [row.number for row in await places.tool_steps(turn.turn.id)] == [2]
    assert [(row.step, row.input_tokens) for row in await places.spent(turn.turn.id)] == [
        (1, 3),
        (2, 3),
    ]


async def test_threads_come_with_the_newest_message_first(now: datetime) -> None:
    one, two = [await given.conversation(now, room=room) for room in ("one", "two")]
    await _received(one, "k0", now - 2 * DAY, thread="t0")
    for number, (where, thread) in enumerate(((one, "t1"), (two, "t1"), (one, "t1"), (one, "t2"))):
        await _received(where, f"k{number + 1}", now, thread=thread)
    await given.received(two, "k9", now)
    found = await places.recent_threads("terminal", since=now - DAY, limit=10)
    assert found == [("terminal/one", "t2"), ("terminal/one", "t1"), ("terminal/two", "t1")]
    assert await places.recent_threads("terminal", since=now - DAY, limit=1) == found[:1]


async def test_a_reset_lets_the_view_begin_after_the_newest_message(now: datetime) -> None:
    lease, turn = await _begun("one", now)
    await given.answered(lease, turn, now)
    await given.conversation(now, room="silent")
    count = await places.reset("terminal", agent_id=lease.agent_id, facts=[7], now=now)
    newest = await summaries.newest(lease.conversation_id)
    assert newest
    assert (count, newest.upto_seq, newest.facts) == (1, 2, [7])
