"""What went on at an address lately."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from storage import activity, conversations, inbox, outbox, steps, summaries
from storage.claims import OpenTurn
from storage.lease import Lease
from storage.models import Conversation, StepKind
from storage.steps import FinishedStep
from storage.usage import Spent
from tests.storage import given

pytestmark = pytest.mark.usefixtures("database")

DAY = timedelta(days=1)
ALL = ["", "everybody", "channel", "thread"]


async def test_conversations_come_with_the_newest_message_first(now: datetime) -> None:
    for number, room in enumerate(("one", "two", "one")):
        where = await given.conversation(now, room=room)
        await given.received(where, f"k{number}", now)
    found = await activity.recent_conversations("terminal", since=now - DAY, limit=10)
    assert found == ["terminal/one", "terminal/two"]


async def test_conversations_without_a_recent_message_are_left_out(now: datetime) -> None:
    await given.received(await given.conversation(now, room="old"), "k1", now - 2 * DAY)
    await given.received(await given.conversation(now, room="new"), "k2", now)
    await given.conversation(now, room="silent")
    found = await activity.recent_conversations("terminal", since=now - DAY, limit=10)
    assert found == ["terminal/new"]


async def test_no_more_conversations_come_than_are_asked_for(now: datetime) -> None:
    for number in range(4):
        await given.received(await given.conversation(now, room=f"r{number}"), f"k{number}", now)
    found = await activity.recent_conversations("terminal", since=now - DAY, limit=2)
    assert found == ["terminal/r3", "terminal/r2"]


async def test_an_address_of_two_agents_comes_once(now: datetime) -> None:
    for agent in ("support", "critic"):
        await given.received(await given.conversation(now, agent=agent), agent, now)
    found = await activity.recent_conversations("terminal/main", since=now - DAY, limit=10)
    assert found == ["terminal/main"]


async def _received(where: Conversation, key: str, now: datetime, *, thread: str) -> None:
    message = inbox.NewMessage(
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
    await outbox.opened(lease, outbox_id=turn.draft.id, message_id=f"m-{room}")
    return lease, turn


async def test_what_waits_and_what_runs_below_an_address_is_known(now: datetime) -> None:
    _, turn = await _begun("busy", now)
    await given.received(await given.conversation(now, room="quiet"), "k1", now)
    for path, count in (("terminal", 1), ("terminal/quiet", 1), ("terminal/qui", 0)):
        assert await activity.waiting(path, readers=ALL) == count
    assert [row.id for row in await activity.running("terminal", readers=ALL)] == [turn.turn.id]
    assert await activity.running("terminal/quiet", readers=ALL) == []


async def test_what_runs_is_found_by_its_message_or_else_by_its_thread(now: datetime) -> None:
    _, one = await _begun("one", now, thread="t1")
    _, two = await _begun("two", now, thread="t2")
    for thread, messages, found in (
        ("t1", [], [one]),
        ("t1", ["m-two"], [two]),
        ("t2", ["m-gone"], [two]),
        ("t3", ["m-gone"], []),
    ):
        running = await activity.running_in("terminal", thread=thread, message_ids=messages)
        assert [row.id for row in running] == [each.turn.id for each in found]


async def test_a_turn_is_found_by_its_id_or_its_message_where_it_was(now: datetime) -> None:
    _, turn = await _begun("one", now)
    by_id = await _turn_of("terminal/one", turn_id=turn.turn.id)
    by_message = await _turn_of("terminal", "m-one", "m-gone")
    assert by_id == by_message == turn.turn.id
    assert await _turn_of("terminal/two", turn_id=turn.turn.id) is None
    assert await _turn_of("terminal", "m-gone") is None


async def _turn_of(path: str, *message_ids: str, turn_id: int | None = None) -> int | None:
    turn = await activity.turn_of(path, readers=ALL, turn_id=turn_id, message_ids=[*message_ids])
    return turn.id if turn else None


async def test_the_answer_that_ended_last_is_known(now: datetime) -> None:
    assert await _newest() is None
    lease, first = await _begun("one", now)
    await given.answered(lease, first, now)
    lease, second = await _begun("two", now)
    assert (await _newest()) == first.turn.id
    await given.answered(lease, second, now + DAY)
    assert (await _newest()) == second.turn.id


async def test_an_answer_from_before_a_reset_is_not_the_newest(now: datetime) -> None:
    lease, first = await _begun("one", now)
    await given.answered(lease, first, now)
    lease, second = await _begun("two", now)
    await given.answered(lease, second, now + DAY)
    await summaries.reset(lease.conversation_id, facts=[], now=now + 2 * DAY)
    assert await _newest() == first.turn.id
    await summaries.reset(first.turn.conversation_id, facts=[], now=now + 2 * DAY)
    assert await _newest() is None


async def _newest() -> int | None:
    turn = await activity.newest_turn("terminal", readers=ALL)
    return turn.id if turn else None


async def test_the_agent_behind_a_message_is_known(now: datetime) -> None:
    await _begun("one", now)
    assert await activity.agent_behind("terminal", "m-one") == "support"
    for path in ("terminal/two", "terminal/o"):
        assert await activity.agent_behind(path, "m-one") is None
    assert await activity.agent_behind("terminal", "m-gone") is None


async def test_what_a_turn_did_and_used_is_known(now: datetime) -> None:
    lease, turn = await _begun("one", now)
    used = Spent(model="m", input_tokens=3, cached_tokens=2, output_tokens=1, nano_usd=None)
    for number, kind in enumerate((StepKind.MODEL, StepKind.TOOL), start=1):
        step = FinishedStep(turn_id=turn.turn.id, number=number, kind=kind, content={}, spent=used)
        await steps.record(lease, step, now)
    assert [row.number for row in await activity.tool_steps(turn.turn.id)] == [2]
    assert [(row.step, row.input_tokens) for row in await activity.spent(turn.turn.id)] == [
        (1, 3),
        (2, 3),
    ]


async def test_threads_come_with_the_newest_message_first(now: datetime) -> None:
    one, two = [await given.conversation(now, room=room) for room in ("one", "two")]
    await _received(one, "k0", now - 2 * DAY, thread="t0")
    for number, (where, thread) in enumerate(((one, "t1"), (two, "t1"), (one, "t1"), (one, "t2"))):
        await _received(where, f"k{number + 1}", now, thread=thread)
    await given.received(two, "k9", now)
    found = await activity.recent_threads("terminal", since=now - DAY, limit=10)
    assert found == [("terminal/one", "t2"), ("terminal/one", "t1"), ("terminal/two", "t1")]
    assert await activity.recent_threads("terminal", since=now - DAY, limit=1) == found[:1]


async def test_a_reset_lets_the_view_begin_after_the_newest_message(now: datetime) -> None:
    lease, turn = await _begun("one", now)
    await given.answered(lease, turn, now)
    await given.conversation(now, room="silent")
    count = await activity.reset(
        "terminal", readers=ALL, agent_id=lease.agent_id, facts=[7], now=now
    )
    newest = await summaries.newest(lease.conversation_id)
    assert newest
    assert (count, newest.upto_seq, newest.facts) == (1, 2, [7])


async def _readers() -> dict[str, str]:
    return {row.address: row.readers for row in await conversations.everything()}


async def test_what_is_said_below_counts_only_for_those_who_can_read_it(now: datetime) -> None:
    for room, readers in (("c", "everybody"), ("c/open", "channel"), ("c/closed", "thread")):
        where = await given.conversation(now, room=room, readers=readers)
        await given.received(where, room, now)
    assert await activity.waiting("terminal/c", readers=["everybody", "channel"]) == 2
    assert await activity.waiting("terminal/c", readers=[]) == 1
    assert await activity.waiting("terminal/c/closed", readers=[]) == 1


async def test_an_address_is_private_if_anything_there_or_below_it_is(now: datetime) -> None:
    for room, readers in (("a", "everybody"), ("b/t", "channel"), ("c", "channel"), ("d", "")):
        await given.conversation(now, room=room, readers=readers)
    paths = [f"terminal/{room}" for room in ("a", "b", "c", "d", "e")]
    found = await activity.private_among(paths, readers=["channel", "thread"])
    assert found == {"terminal/b", "terminal/c"}


async def test_a_place_that_turns_private_keeps_what_is_more_private(now: datetime) -> None:
    for room, readers in (("c", "everybody"), ("c/t", "thread"), ("c/u", ""), ("cc", "everybody")):
        await given.conversation(now, room=room, readers=readers)
    await activity.show_to("channel", "terminal/c", instead_of=["", "everybody"])
    assert await _readers() == {
        "terminal/c": "channel",
        "terminal/c/t": "thread",
        "terminal/c/u": "channel",
        "terminal/cc": "everybody",
    }


@pytest.mark.parametrize("other", ["Main", "main ", "mäin", "ma_n", "main%"])
async def test_names_are_one_only_if_they_are_the_same(other: str, now: datetime) -> None:
    """On every database: case, spaces at the end and what LIKE reads as a wildcard count."""
    lease, turn = await _begun("main", now)
    await given.answered(lease, turn, now)
    for room in ("main/t", other, f"{other}/t"):
        await given.answered(*await _begun(room, now), now)
    count = await activity.reset(
        f"terminal/{other}", readers=ALL, agent_id=lease.agent_id, facts=[], now=now
    )
    rows = await conversations.everything()
    begun_anew = {row.address for row in rows if await summaries.newest(row.id)}
    assert (count, len(rows)) == (2, 4)
    assert begun_anew == {f"terminal/{other}", f"terminal/{other}/t"}
