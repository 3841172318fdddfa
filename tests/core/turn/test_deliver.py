"""The outbox of a conversation is delivered in order, each message once."""

from __future__ import annotations

import asyncio

import pytest

from core.clock import monotonic
from core.errors import DeliveryRefused, Transient
from core.turn.deliver import Due, Visible, deliver
from core.turn.held_lease import HeldLease
from storage import outbox, turns
from storage.errors import LeaseLost
from storage.models import Conversation, OutboxMessage, OutboxState, TurnState
from storage.turns import Ending
from tests.core.given import Stage


@pytest.fixture
async def hold(stage: Stage) -> HeldLease:
    await stage.say("Hello")
    return await stage.hold()


@pytest.fixture
async def turn_id(stage: Stage, hold: HeldLease) -> int:
    """A turn that ended with an answer in two parts."""
    opened = await stage.opened(hold)
    ending = Ending(state=TurnState.DONE, entries=[], parts=["One", "Two"])
    await turns.end(hold.lease, opened, ending, stage.clock())
    return opened.turn.id


async def states(turn_id: int) -> list[OutboxState]:
    """Where the two parts stand."""
    return [row.state for row in await outbox.of_turn(turn_id)]


async def waits(stage: Stage, hold: HeldLease, tries: int) -> list[float | None]:
    """How long each of so many tries in a row wants to be put off."""
    return [await _wait(stage, hold) for _ in range(tries)]


async def _wait(stage: Stage, hold: HeldLease) -> float | None:
    with pytest.raises(Transient) as later:
        await deliver(hold, stage.platform, "Ada")
    return later.value.retry_after


async def test_parts_appear_in_order(stage: Stage, hold: HeldLease, turn_id: int) -> None:
    await deliver(hold, stage.platform, "Ada")
    assert stage.platform.transcript == ["One", "Two"]
    assert await states(turn_id) == [OutboxState.DELIVERED] * 2


async def test_every_part_stands_where_the_question_stood(
    stage: Stage, hold: HeldLease, turn_id: int
) -> None:
    await deliver(hold, stage.platform, "Ada")
    assert [post.reply_to for post in stage.platform.posts] == ["q/1", "q/1"]
    assert all(post.is_final for post in stage.platform.posts)


async def test_what_was_delivered_is_not_delivered_again(
    stage: Stage, hold: HeldLease, turn_id: int
) -> None:
    await deliver(hold, stage.platform, "Ada")
    await deliver(hold, stage.platform, "Ada")
    assert stage.platform.calls == ["post", "post"]


async def test_where_nothing_is_due_nothing_is_looked_for(
    stage: Stage, hold: HeldLease, turn_id: int
) -> None:
    await deliver(hold, stage.platform, "Ada", Due(rows=[]))
    assert stage.platform.calls == []


async def test_a_message_that_was_opened_is_edited(
    stage: Stage, hold: HeldLease, turn_id: int
) -> None:
    [first, _] = await outbox.of_turn(turn_id)
    await outbox.opened(hold.lease, outbox_id=first.id, message_id="m1")
    await stage.platform.post(Visible(hold, stage.platform, first, "Ada").outgoing)
    await deliver(hold, stage.platform, "Ada")
    assert stage.platform.transcript == ["One", "Two"]
    assert stage.platform.calls == ["post", "edit", "post"]


async def test_a_post_that_arrived_in_silence_is_found_and_not_repeated(
    stage: Stage, hold: HeldLease, turn_id: int
) -> None:
    stage.platform.fail("post", Transient("time-out"), after_effect=True)
    await waits(stage, hold, 1)
    await deliver(hold, stage.platform, "Ada")
    assert stage.platform.transcript == ["One", "Two"]
    assert stage.platform.calls == ["post", "find", "edit", "post"]


async def test_a_post_that_did_not_arrive_is_made_again(
    stage: Stage, hold: HeldLease, turn_id: int
) -> None:
    stage.platform.fail("post", Transient("time-out"))
    await waits(stage, hold, 1)
    await deliver(hold, stage.platform, "Ada")
    assert stage.platform.transcript == ["One", "Two"]


async def test_nothing_overtakes_what_is_put_off(
    stage: Stage, hold: HeldLease, turn_id: int
) -> None:
    stage.platform.fail("post", Transient("later"))
    await waits(stage, hold, 1)
    assert stage.platform.transcript == []
    assert await states(turn_id) == [OutboxState.DUE] * 2


async def test_waits_grow_up_to_a_minute(stage: Stage, hold: HeldLease, turn_id: int) -> None:
    stage.platform.fail_always("post", Transient("later"))
    assert await waits(stage, hold, 7) == [2, 4, 8, 16, 32, 60, 60]


async def test_the_platform_says_how_long_to_wait(
    stage: Stage, hold: HeldLease, turn_id: int
) -> None:
    stage.platform.fail("post", Transient("slowly", retry_after=7.5))
    assert await waits(stage, hold, 1) == [7.5]


async def test_what_is_refused_is_given_up_and_the_next_goes_on(
    stage: Stage, hold: HeldLease, turn_id: int
) -> None:
    stage.platform.fail("post", DeliveryRefused("the channel is gone"))
    await deliver(hold, stage.platform, "Ada")
    assert stage.platform.transcript == ["Two"]
    assert await states(turn_id) == [OutboxState.DEAD, OutboxState.DELIVERED]


@pytest.mark.parametrize("kind", [KeyError, asyncio.CancelledError, SystemExit])
async def test_an_unexpected_failure_is_put_off_and_tells_no_details(
    stage: Stage, hold: HeldLease, turn_id: int, kind: type[BaseException]
) -> None:
    stage.platform.fail("post", kind("secret"), after_effect=True)
    with pytest.raises(Transient, match="unexpected "):
        await deliver(hold, stage.platform, "Ada")
    await deliver(hold, stage.platform, "Ada")
    assert stage.platform.transcript == ["One", "Two"]


async def test_previews_and_tries_that_died_put_nothing_off(
    stage: Stage, hold: HeldLease, turn_id: int
) -> None:
    await OutboxMessage.filter(turn_id=turn_id).update(attempts=9)
    stage.platform.fail("find", Transient("a single one"))
    assert await waits(stage, hold, 1) == [2]


async def test_a_platform_that_is_out_of_order_is_waited_for_a_day(
    stage: Stage, hold: HeldLease, turn_id: int
) -> None:
    stage.platform.fail_always("post", Transient("later"))
    await waits(stage, hold, 30)
    assert await states(turn_id) == [OutboxState.DUE] * 2
    stage.clock.forward(24 * 60 * 60)
    await deliver(hold, stage.platform, "Ada")
    assert await states(turn_id) == [OutboxState.DEAD] * 2


async def test_a_thousand_failures_wait_no_longer_than_a_minute(
    stage: Stage, hold: HeldLease, turn_id: int
) -> None:
    await OutboxMessage.filter(turn_id=turn_id).update(failures=1_023)
    stage.platform.fail_always("post", Transient("down"))
    assert await waits(stage, hold, 1) == [60]


async def test_a_text_that_the_platform_does_not_take_steps_aside_for_one_that_it_takes(
    stage: Stage, hold: HeldLease, turn_id: int, caplog: pytest.LogCaptureFixture
) -> None:
    stage.platform.fail_on("One", Transient("out of order"))
    assert await waits(stage, hold, 5) == [2, 4, 8, 16, 32]
    assert stage.platform.transcript == []
    await deliver(hold, stage.platform, "Ada")
    assert stage.platform.transcript == ["Two"]
    assert await states(turn_id) == [OutboxState.DEAD, OutboxState.DELIVERED]
    assert "delivery given up" in caplog.text


async def test_where_nothing_is_taken_nothing_is_given_up_and_the_order_stays(
    stage: Stage, hold: HeldLease, turn_id: int
) -> None:
    for nth in range(1, 20):
        stage.platform.fail("post", Transient("out of order"), nth=nth)
    await waits(stage, hold, 12)
    assert await states(turn_id) == [OutboxState.DUE] * 2
    await deliver(hold, stage.platform, "Ada")
    assert stage.platform.transcript == ["One", "Two"]


async def test_a_text_that_steps_aside_is_tried_again_where_nothing_came_of_it(
    stage: Stage, hold: HeldLease, turn_id: int
) -> None:
    """A question waits behind it, and is to be answered first."""
    await stage.say("And?")
    await deliver(hold, stage.platform, "Ada")
    await OutboxMessage.filter(turn_id=turn_id, part=2).update(state=OutboxState.DUE, failures=5)
    stage.platform.fail_always("edit", Transient("out of order"))
    assert await deliver(hold, stage.platform, "Ada") == 60
    assert await states(turn_id) == [OutboxState.DELIVERED, OutboxState.DUE]


@pytest.mark.parametrize("call", ["post", "find"])
async def test_what_keeps_failing_for_no_known_reason_is_given_up(
    stage: Stage, hold: HeldLease, turn_id: int, call: str
) -> None:
    await OutboxMessage.filter(turn_id=turn_id).update(attempts=call == "find", failures=10)
    stage.platform.fail_always(call, KeyError("unexpected"))
    await waits(stage, hold, 1)
    await deliver(hold, stage.platform, "Ada")
    assert await states(turn_id) == [OutboxState.DEAD] * 2


async def test_with_the_last_receipt_the_conversation_is_given_back(
    stage: Stage, hold: HeldLease, turn_id: int
) -> None:
    await deliver(hold, stage.platform, "Ada")
    conversation = await Conversation.get(id=hold.lease.conversation_id)
    assert hold.is_given_back()
    assert (conversation.owner, conversation.ready_at) == (None, None)
    assert conversation.token == hold.lease.token + 1


async def test_a_conversation_in_which_something_waits_is_kept(
    stage: Stage, hold: HeldLease, turn_id: int
) -> None:
    await stage.say("And?")
    await deliver(hold, stage.platform, "Ada")
    assert not hold.is_given_back()
    assert (await Conversation.get(id=hold.lease.conversation_id)).token == hold.lease.token


async def test_who_lost_the_lease_delivers_nothing(
    stage: Stage, hold: HeldLease, turn_id: int
) -> None:
    stage.clock.forward(60)
    await stage.lease()
    with pytest.raises(LeaseLost):
        await deliver(hold, stage.platform, "Ada")
    assert stage.platform.calls == []


async def test_who_may_have_lost_the_lease_delivers_nothing(stage: Stage) -> None:
    await stage.say("Hello")
    hold = HeldLease(await stage.lease(), stage.clock, claimed_at=monotonic() - 15)
    opened = await stage.opened(hold)
    ending = Ending(state=TurnState.DONE, entries=[], parts=["One"])
    await turns.end(hold.lease, opened, ending, stage.clock())
    with pytest.raises(LeaseLost, match="lapsed"):
        await deliver(hold, stage.platform, "Ada")
    assert stage.platform.calls == []


async def test_who_loses_the_lease_meanwhile_records_nothing(
    stage: Stage, hold: HeldLease, turn_id: int
) -> None:
    stage.platform.fail("post", LeaseLost("somebody else"))
    with pytest.raises(LeaseLost):
        await deliver(hold, stage.platform, "Ada")
    assert await states(turn_id) == [OutboxState.DUE] * 2
