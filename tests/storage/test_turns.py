"""Turns opened over what waits, journalled, and ended whole or not at all."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from storage import claims, conversations, inbox, messages, outbox, steps, turns, usage
from storage.claims import Plan
from storage.derived import Passage
from storage.errors import LeaseLost
from storage.lease import Lease, milliseconds
from storage.models import (
    Conversation,
    InboxState,
    MessageRole,
    Step,
    StepKind,
    Turn,
    TurnState,
    Usage,
)
from storage.passages import Indexed
from storage.steps import FinishedStep
from storage.turns import Ending, Entry, QuestionsEdited
from storage.usage import Spent
from tests.storage import given

pytestmark = pytest.mark.usefixtures("database")


async def test_what_one_person_wrote_in_a_row_is_answered_together(now: datetime) -> None:
    where = await given.conversation(now)
    for position, (key, author) in enumerate(
        [("a1", "ana"), ("a2", "ana"), ("b1", "bob"), ("a3", "ana")]
    ):
        await given.received(where, key, now, author=author, position=position)
    lease = await given.leased(where, now)
    batches = []
    for _ in range(3):
        turn = await given.opened(lease, now)
        batches.append([question.key for question in turn.questions])
        await given.answered(lease, turn, now)
    assert batches == [["a1", "a2"], ["b1"], ["a3"]]
    assert await claims.open_next(lease, plan=given.PLAN, now=now) is None


async def _batches(where: Conversation, now: datetime, *, room: int = 40_000) -> list[int]:
    """How many messages each turn answers."""
    lease, batches = await given.leased(where, now), list[int]()
    plan = Plan(revision="r1", room=room)
    while turn := await claims.open_next(lease, plan=plan, now=now):
        batches.append(len(turn.questions))
        await given.answered(lease, turn, now)
    return batches


@pytest.mark.parametrize(
    ("places", "batches"),
    [
        (["7.1", "7.1", "8.1", "7.1"], [2, 1, 1]),
        ([None, None, "7.1"], [2, 1]),
        (["50/1", "50/2", "51/3", "51/"], [2, 2]),
    ],
    ids=["threads", "outside of a thread", "replies to messages"],
)
async def test_what_stands_in_different_places_is_not_answered_together(
    now: datetime, places: list[str | None], batches: list[int]
) -> None:
    where = await given.conversation(now)
    for position, place in enumerate(places):
        await given.received(where, f"k{position}", now, position=position, reply_to=place)
    assert await _batches(where, now) == batches


@pytest.mark.parametrize(
    ("room", "files", "batches"),
    [(87, 0, [3, 1]), (86, 0, [2, 2]), (1, 0, [1, 1, 1, 1]), (7_058, 1, [2, 2])],
)
async def test_as_many_are_answered_together_as_there_is_room_for(
    now: datetime, room: int, files: int, batches: list[int]
) -> None:
    """The text of each has ten bytes and the name of who wrote it three, and 16 go with both."""
    where = await given.conversation(now)
    for position in range(4):
        await given.received(where, f"k{position}", now, position=position, files=files)
    assert await _batches(where, now, room=room) == batches


async def test_an_interrupted_turn_is_taken_up_with_its_finished_steps(now: datetime) -> None:
    where = await given.conversation(now)
    await given.received(where, "k1", now)
    lease = await given.leased(where, now)
    turn = await given.opened(lease, now)
    step = FinishedStep(
        turn_id=turn.turn.id, number=1, kind=StepKind.MODEL, content={"text": "half", "n": [1]}
    )
    await steps.record(lease, step, now)
    await given.received(where, "k2", now, position=2)
    heir = await given.leased(where, now + timedelta(minutes=1), owner="other")
    again = await given.opened(heir, now)
    assert again.turn.id == turn.turn.id
    assert [question.key for question in again.questions] == ["k1"]
    assert [(row.number, row.kind, row.content) for row in again.steps] == [
        (1, StepKind.MODEL, {"text": "half", "n": [1]})
    ]
    assert again.draft.key == turn.draft.key


async def test_failed_attempts_are_counted_until_a_step_is_finished(now: datetime) -> None:
    where = await given.conversation(now)
    await given.received(where, "k1", now)
    seen = []
    for _ in range(3):
        lease = await given.leased(where, now)
        opened = await given.opened(lease, now)
        seen.append(opened.turn.attempts)
        await turns.hand_over(lease, now, opened=opened, has_failed=True)
    lease = await given.leased(where, now)
    opened = await given.opened(lease, now)
    step = FinishedStep(turn_id=opened.turn.id, number=1, kind=StepKind.TOOL, content={})
    await steps.record(lease, step, now)
    assert (await given.opened(lease, now)).turn.attempts == 1
    assert seen == [1, 2, 3]


async def test_interruptions_are_no_attempts_and_make_a_turn_suspect(now: datetime) -> None:
    where = await given.conversation(now)
    await given.received(where, "k1", now)
    left = [await given.opened(await _taken_over(where, now, life), now) for life in range(9)]
    assert [each.is_suspect for each in left] == [False] * 2 + [True] * 7
    assert {(each.turn.attempts, each.is_given_up) for each in left} == {(1, False)}
    step = FinishedStep(turn_id=left[0].turn.id, number=1, kind=StepKind.TOOL, content={})
    await steps.record(await _taken_over(where, now, 9), step, now)
    assert not (await given.opened(await _taken_over(where, now, 10), now)).is_suspect


async def test_a_turn_that_did_not_end_three_tries_alone_is_given_up(now: datetime) -> None:
    where = await given.conversation(now)
    await given.received(where, "k1", now)
    for life in range(3):
        lease = await _taken_over(where, now, life)
        opened = await given.opened(lease, now)
        assert not opened.is_given_up
        await turns.try_alone(lease, opened.turn.id, now)
    left = await given.opened(await _taken_over(where, now, 3), now)
    assert (left.is_given_up, left.is_suspect) == (True, False)


async def test_a_try_alone_that_is_handed_over_is_given_back(now: datetime) -> None:
    where = await given.conversation(now)
    await given.received(where, "k1", now)
    lease = await _taken_over(where, now, 0)
    await turns.try_alone(lease, (await given.opened(lease, now)).turn.id, now)
    for life in (1, 2):
        lease = await _taken_over(where, now, life)
        opened = await given.opened(lease, now)
        await turns.try_alone(lease, opened.turn.id, now)
        await turns.hand_over(lease, now, opened=opened, is_tried_alone=True)
        assert (await Turn.get()).lone_tries == 1


async def test_a_try_alone_is_taken_back_also_after_another_has_begun(now: datetime) -> None:
    where = await given.conversation(now)
    await given.received(where, "k1", now)
    for life in range(2):
        lease = await _taken_over(where, now, life)
        await turns.try_alone(lease, (await given.opened(lease, now)).turn.id, now)
    left = []
    for _ in range(3):
        await turns.take_back((await Turn.get()).id)
        left.append((await Turn.get()).lone_tries)
    assert left == [1, 0, 0]


async def test_two_tries_alone_are_taken_back_by_who_lost_the_lease_and_who_hands_over(
    now: datetime,
) -> None:
    where = await given.conversation(now)
    await given.received(where, "k1", now)
    lost = await _taken_over(where, now, 0)
    await turns.try_alone(lost, (await given.opened(lost, now)).turn.id, now)
    lease = await _taken_over(where, now, 1)
    opened = await given.opened(lease, now)
    await turns.try_alone(lease, opened.turn.id, now)
    await turns.take_back(opened.turn.id)
    await turns.hand_over(lease, now, opened=opened, is_tried_alone=True)
    assert (await Turn.get()).lone_tries == 0


async def test_a_finished_step_takes_all_tries_alone_back(now: datetime) -> None:
    where = await given.conversation(now)
    await given.received(where, "k1", now)
    lease = await _taken_over(where, now, 0)
    await turns.try_alone(lease, (await given.opened(lease, now)).turn.id, now)
    lease = await _taken_over(where, now, 1)
    opened = await given.opened(lease, now)
    await turns.try_alone(lease, opened.turn.id, now)
    step = FinishedStep(turn_id=opened.turn.id, number=1, kind=StepKind.TOOL, content={})
    await steps.record(lease, step, now)
    await turns.hand_over(lease, now, opened=opened, is_tried_alone=True)
    assert (await Turn.get()).lone_tries == 0


async def test_a_step_that_may_be_there_is_recorded_once(now: datetime) -> None:
    where = await given.conversation(now)
    await given.received(where, "k1", now)
    lease = await given.leased(where, now)
    turn = await given.opened(lease, now)
    spent = Spent(model="m", input_tokens=1, cached_tokens=0, output_tokens=1, nano_usd=1)
    step = FinishedStep(
        turn_id=turn.turn.id, number=1, kind=StepKind.MODEL, content={}, spent=spent
    )
    for _ in range(3):
        await steps.record(lease, step, now, is_again=True)
    assert await Step.all().count() == await Usage.all().count() == 1


async def test_what_is_handed_over_can_be_claimed_when_its_time_has_come(now: datetime) -> None:
    where = await given.conversation(now)
    await given.received(where, "k1", now)
    lease = await given.leased(where, now)
    opened = await given.opened(lease, now)
    later = now + timedelta(seconds=1)
    await turns.hand_over(lease, now, opened=opened, not_before=later)
    assert (await Turn.get()).attempts == 1
    assert (await Conversation.get()).ready_at == milliseconds(later)


async def test_whoever_takes_up_its_own_lapsed_lease_has_not_died(now: datetime) -> None:
    where = await given.conversation(now)
    await given.received(where, "k1", now)
    await given.opened(await given.leased(where, now, owner="me"), now)
    mine = await given.leased(where, now + timedelta(minutes=1), owner="me")
    assert not mine.is_takeover
    assert (await given.leased(where, now + timedelta(minutes=2), owner="other")).is_takeover


async def test_a_turn_that_was_given_back_is_not_suspect(now: datetime) -> None:
    where = await given.conversation(now)
    await given.received(where, "k1", now)
    for give_back in (turns.hand_over, conversations.release, conversations.release) * 2:
        lease = await given.leased(where, now)
        assert not (await given.opened(lease, now)).is_suspect
        await give_back(lease, now)
    assert (await Turn.get()).interruptions == 0


async def _taken_over(where: Conversation, now: datetime, life: int) -> Lease:
    """The lease of one process after the other."""
    return await given.leased(where, now + timedelta(hours=life), owner=f"process {life}")


async def test_an_ended_turn_is_history_answered_messages_and_an_outbox_row(
    now: datetime,
) -> None:
    where = await given.conversation(now)
    await given.received(where, "k1", now)
    lease = await given.leased(where, now)
    turn = await given.opened(lease, now)
    await given.answered(lease, turn, now, text="it is March 15th")
    message = await inbox.by_key("k1")
    assert message
    assert (message.state, message.turn_id) == (InboxState.ANSWERED, turn.turn.id)
    history = await messages.window(where.id, after_seq=0, tokens=1000)
    assert [(entry.seq, entry.role, entry.text) for entry in history] == [
        (1, MessageRole.USER, "text of k1"),
        (2, MessageRole.ASSISTANT, "it is March 15th"),
    ]
    [row] = await outbox.due(where.id)
    assert row.text == "it is March 15th"
    assert await turns.answer("k1") is None
    await outbox.delivered(lease, outbox_id=row.id, message_id="m", now=now)
    assert await turns.answer("k1") == (turn.turn.id, "it is March 15th", InboxState.ANSWERED)


async def test_a_turn_that_has_ended_does_not_end_again(now: datetime) -> None:
    where = await given.conversation(now)
    await given.received(where, "k1", now)
    lease = await given.leased(where, now)
    turn = await given.opened(lease, now)
    await given.answered(lease, turn, now)
    [row] = await outbox.due(where.id)
    await outbox.delivered(lease, outbox_id=row.id, message_id="m1", now=now)
    await given.answered(lease, turn, now, text="no")  # as when the answer to COMMIT was lost
    assert await outbox.due(where.id) == []
    history = await messages.window(where.id, after_seq=0, tokens=100)
    assert [entry.text for entry in history] == ["text of k1", "yes"]


async def test_a_failed_turn_leaves_a_notice_and_failed_messages(now: datetime) -> None:
    where = await given.conversation(now)
    await given.received(where, "k1", now)
    lease = await given.leased(where, now)
    turn = await given.opened(lease, now)
    notice = Entry(role=MessageRole.NOTICE, author="support", text="no", tokens=1, said_at=now)
    ending = Ending(state=TurnState.FAILED, entries=[notice], parts=["no"], failure="refused")
    await turns.end(lease, turn, ending, now)
    row = await turns.by_id(turn.turn.id)
    assert (row.state, row.failure) == (TurnState.FAILED, "refused")
    message = await inbox.by_key("k1")
    assert message
    assert message.state is InboxState.FAILED


async def test_an_answer_in_parts_is_delivered_in_their_order(now: datetime) -> None:
    where = await given.conversation(now)
    await given.received(where, "k1", now)
    lease = await given.leased(where, now)
    turn = await given.opened(lease, now)
    ending = Ending(state=TurnState.DONE, entries=[], parts=["one", "two", "three"])
    await turns.end(lease, turn, ending, now)
    due = await outbox.due(where.id)
    assert [row.text for row in due] == ["one", "two", "three"]
    assert due[0].id == turn.draft.id
    assert len({row.key for row in due}) == 3


async def test_a_turn_of_very_many_passages_is_ended_as_any(now: datetime) -> None:
    """One statement of PostgreSQL takes 32,767 values."""
    where = await given.conversation(now)
    await given.received(where, "k1", now)
    lease = await given.leased(where, now)
    turn = await given.opened(lease, now)
    found = [Indexed(seq=1, part=part, author="ana", words="w") for part in range(6_000)]
    ending = Ending(state=TurnState.DONE, entries=[], parts=["yes"], passages=found)
    await turns.end(lease, turn, ending, now)
    assert (await turns.by_id(turn.turn.id)).state is TurnState.DONE
    assert await Passage.filter(turn_id=turn.turn.id).count() == len(found)


async def test_a_zombie_can_end_nothing_and_record_nothing(now: datetime) -> None:
    where = await given.conversation(now)
    await given.received(where, "k1", now)
    zombie = await given.leased(where, now)
    turn = await given.opened(zombie, now)
    heir = await given.leased(where, now + timedelta(minutes=1), owner="other")
    with pytest.raises(LeaseLost):
        await given.answered(zombie, turn, now)
    step = FinishedStep(turn_id=turn.turn.id, number=1, kind=StepKind.TOOL, content={})
    with pytest.raises(LeaseLost):
        await steps.record(zombie, step, now)
    assert await messages.window(where.id, after_seq=0, tokens=1000) == []
    await given.answered(heir, turn, now)


async def test_the_turn_names_the_revision_that_answered_it(now: datetime) -> None:
    where = await given.conversation(now)
    await given.received(where, "k1", now)
    lease = await given.leased(where, now)
    turn = await given.opened(lease, now)
    await turns.hand_over(lease, now)
    heir = await given.leased(where, now)
    await claims.open_next(heir, plan=Plan(revision="r2", room=1), now=now)
    assert (await turns.by_id(turn.turn.id)).revision == "r2"


async def test_each_turn_has_its_own_answer(now: datetime) -> None:
    where = await given.conversation(now)
    lease = None
    for text in ("one", "two"):
        await given.received(where, text, now)
        lease = lease or await given.leased(where, now)
        turn = await given.opened(lease, now)
        await given.answered(lease, turn, now, text=text)
        [row] = await outbox.due(where.id)
        await outbox.delivered(lease, outbox_id=row.id, message_id=text, now=now)
    found = [await turns.answer(key) for key in ("one", "two")]
    assert [each and each[1] for each in found] == ["one", "two"]


async def test_turns_of_a_conversation_are_numbered(now: datetime) -> None:
    where = await given.conversation(now)
    numbers = []
    for number in range(3):
        await given.received(where, f"k{number}", now, position=number)
        lease = await given.leased(where, now)
        turn = await given.opened(lease, now)
        numbers.append(turn.turn.number)
        await given.answered(lease, turn, now)
        await conversations.release(lease, now)
    assert numbers == [1, 2, 3]


async def test_what_a_step_cost_is_added_up_by_agent_and_day(now: datetime) -> None:
    where = await given.conversation(now)
    await given.received(where, "k1", now)
    lease = await given.leased(where, now)
    turn = await given.opened(lease, now)
    for number, cost in ((1, 7), (2, None), (3, 5)):
        spent = Spent(model="m", input_tokens=1, cached_tokens=0, output_tokens=1, nano_usd=cost)
        step = FinishedStep(
            turn_id=turn.turn.id, number=number, kind=StepKind.MODEL, content={}, spent=spent
        )
        await steps.record(lease, step, now)
    assert await usage.nano_usd_since(agent_id=where.agent_id, since=now) == 12
    tomorrow = now + timedelta(days=1)
    assert await usage.nano_usd_since(agent_id=where.agent_id, since=tomorrow) == 0


async def test_a_running_turn_can_be_asked_to_stop(now: datetime) -> None:
    where = await given.conversation(now)
    await given.received(where, "k1", now)
    lease = await given.leased(where, now)
    turn = await given.opened(lease, now)
    assert not (await turns.news(turn.turn.id)).is_stop_asked
    assert await turns.ask_to_stop(turn.turn.id, now)
    assert await turns.ask_to_stop(turn.turn.id, now)
    assert (await turns.news(turn.turn.id)).is_stop_asked
    await given.answered(lease, turn, now)
    assert not await turns.ask_to_stop(turn.turn.id, now)


async def test_a_turn_is_found_by_the_key_of_its_answer(now: datetime) -> None:
    where = await given.conversation(now)
    await given.received(where, "k1", now)
    turn = await given.opened(await given.leased(where, now), now)
    found = await turns.by_outbox_key(turn.draft.key)
    assert found
    assert found.id == turn.turn.id
    assert await turns.by_outbox_key("nowhere") is None


async def test_a_turn_does_not_end_over_a_question_that_it_has_not_read(now: datetime) -> None:
    where = await given.conversation(now)
    await given.received(where, "k1", now)
    lease = await given.leased(where, now)
    opened = await given.opened(lease, now)
    await inbox.change("k1", "better")
    ending = Ending(state=TurnState.DONE, entries=[], parts=["yes"], edits=opened.turn.edits)
    with pytest.raises(QuestionsEdited):
        await turns.end(lease, opened, ending, now)
    assert (await turns.by_id(opened.turn.id)).state is TurnState.RUNNING
    again = await claims.read_again(lease, opened, room=1_000)
    assert [each.text for each in again.questions] == ["better"]
    await turns.end(lease, again, replace(ending, edits=again.turn.edits), now)
    assert (await turns.by_id(opened.turn.id)).state is TurnState.DONE


@pytest.mark.parametrize(
    ("authors", "room", "joined"),
    [("ana ana", 1_000, 2), ("bob ana", 1_000, 0), ("ana bob", 1_000, 1), ("ana ana", 60, 1)],
)
async def test_what_the_same_person_added_joins_once_as_far_as_there_is_room(
    now: datetime, authors: str, room: int, joined: int
) -> None:
    where = await given.conversation(now)
    await given.received(where, "k1", now)
    lease = await given.leased(where, now)
    opened = await given.opened(lease, now)
    for position, author in enumerate(authors.split(), start=2):
        await given.received(where, f"k{position}", now, author=author, position=position)
    keys = [f"k{n}" for n in range(1, 2 + joined)]
    for _ in range(2):  # also who does not know whether it was done
        again = await claims.read_again(lease, opened, room=room)
        assert [each.key for each in again.questions] == keys
    assert [each.key for each in await inbox.of_turn(opened.turn.id)] == keys


async def test_who_lost_the_lease_takes_nothing_in(now: datetime) -> None:
    where = await given.conversation(now)
    await given.received(where, "k1", now)
    lease = await given.leased(where, now)
    opened = await given.opened(lease, now)
    await given.leased(where, now + timedelta(minutes=1), owner="other")
    with pytest.raises(LeaseLost):
        await claims.read_again(lease, opened, room=1_000)
