"""An answer grows in one visible message, never in a hurry and never doubled."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from core.clock import monotonic
from core.errors import DeliveryRefused, Transient
from core.turn.deliver import Reply, Visible
from core.turn.held_lease import HeldLease
from storage import outbox
from storage.claims import OpenTurn
from storage.errors import LeaseLost
from storage.models import OutboxMessage
from tests.core.given import Stage
from tests.peers.platform import Platform


@pytest.fixture
def stage(stage: Stage) -> Stage:
    stage.platform = Platform(text_length=10, seconds_between_edits=0)
    return stage


@pytest.fixture
async def hold(stage: Stage) -> HeldLease:
    await stage.say("Hello")
    return await stage.hold()


@pytest.fixture
async def opened(stage: Stage, hold: HeldLease) -> OpenTurn:
    return await stage.opened(hold)


@pytest.fixture
def reply(stage: Stage, hold: HeldLease, opened: OpenTurn) -> Reply:
    return replying(stage, hold, opened)


def replying(stage: Stage, hold: HeldLease, opened: OpenTurn) -> Reply:
    """The reply of whoever works on this turn."""
    message = Visible(hold, stage.platform, opened.draft, "Ada")
    return Reply(stage.platform, message, asked_by="ana")


async def on_record(opened: OpenTurn) -> OutboxMessage:
    """The message as the database has it."""
    [row] = await outbox.of_turn(opened.turn.id)
    return row


async def test_an_answer_is_posted_once_and_then_edited(stage: Stage, reply: Reply) -> None:
    await reply.show("One")
    await reply.show("One two")
    assert stage.platform.transcript == ["One two"]
    assert stage.platform.calls == ["post", "edit"]


async def test_a_growing_answer_replies_to_the_question_and_is_not_final(
    stage: Stage, reply: Reply
) -> None:
    await reply.show("One")
    [post] = stage.platform.posts
    assert (post.agent, post.room, post.reply_to, post.is_final) == (
        "Ada",
        "slack/T1/C1",
        "q/1",
        False,
    )


async def test_nothing_is_shown_before_there_is_something(stage: Stage, reply: Reply) -> None:
    await reply.show("")
    assert stage.platform.calls == []


async def test_edits_keep_the_distance_that_the_platform_asks_for(
    stage: Stage, hold: HeldLease, opened: OpenTurn
) -> None:
    stage.platform = Platform(seconds_between_edits=60)
    reply = replying(stage, hold, opened)
    await reply.show("One")
    await reply.show("One two")
    assert stage.platform.transcript == ["One"]
    assert reply.text == "One two"


async def test_a_platform_that_shows_no_growth_is_not_called(
    stage: Stage, hold: HeldLease, opened: OpenTurn
) -> None:
    stage.platform = Platform(seconds_between_edits=None)
    await replying(stage, hold, opened).show("One")
    assert stage.platform.calls == []


async def test_a_busy_platform_is_asked_again_with_the_next_piece(
    stage: Stage, reply: Reply
) -> None:
    stage.platform.is_busy = True
    await reply.show("One")
    assert stage.platform.calls == []
    stage.platform.is_busy = False
    await reply.show("One two")
    assert stage.platform.transcript == ["One two"]


async def test_a_text_that_is_too_long_is_shown_as_far_as_it_fits(
    stage: Stage, reply: Reply
) -> None:
    await reply.show("0123456789")
    assert stage.platform.transcript == ["0123456789"]
    await reply.show("0123456789abc")
    assert stage.platform.transcript == ["012345678…"]


async def test_the_intent_to_open_is_on_record_before_the_post(
    stage: Stage, reply: Reply, opened: OpenTurn
) -> None:
    stage.platform.fail("post", KeyError("unexpected"))
    with pytest.raises(KeyError):
        await reply.show("One")
    row = await on_record(opened)
    assert (row.attempts, row.message_id) == (1, None)


async def test_the_id_is_on_record_after_the_post(reply: Reply, opened: OpenTurn) -> None:
    await reply.show("One")
    assert (await on_record(opened)).message_id == "m1"


async def test_whoever_takes_over_edits_the_same_message(stage: Stage, reply: Reply) -> None:
    await reply.show("One")
    stage.clock.forward(60)
    hold = await stage.hold()
    await replying(stage, hold, await stage.opened(hold)).show("Uno")
    assert stage.platform.transcript == ["Uno"]
    assert stage.platform.calls == ["post", "edit"]


async def test_an_opening_that_may_have_arrived_is_looked_for(stage: Stage, reply: Reply) -> None:
    stage.platform.fail("post", KeyError("unexpected"), after_effect=True)
    with pytest.raises(KeyError):
        await reply.show("One")
    stage.clock.forward(60)
    hold = await stage.hold()
    again = replying(stage, hold, await stage.opened(hold))
    await again.show("Uno")
    await again.show("Uno dos")
    assert stage.platform.transcript == ["Uno dos"]
    assert stage.platform.calls == ["post", "find", "edit", "edit"]


async def test_an_opening_that_did_not_arrive_is_made_again(stage: Stage, reply: Reply) -> None:
    stage.platform.fail("post", KeyError("unexpected"))
    with pytest.raises(KeyError):
        await reply.show("One")
    stage.clock.forward(60)
    hold = await stage.hold()
    await replying(stage, hold, await stage.opened(hold)).show("Uno")
    assert stage.platform.calls == ["post", "find", "post"]
    assert stage.platform.transcript == ["Uno"]


@pytest.mark.parametrize("error", [Transient("later"), DeliveryRefused("no")])
async def test_a_preview_that_fails_is_let_be(stage: Stage, reply: Reply, error: Exception) -> None:
    stage.platform.fail("post", error)
    await reply.show("One")
    assert (reply.text, stage.platform.transcript) == ("One", [])


async def test_a_preview_that_failed_is_not_tried_again_at_once(stage: Stage, reply: Reply) -> None:
    stage.platform.fail("post", Transient("later"))
    await reply.show("One")
    await reply.show("One two")
    assert stage.platform.calls == ["post"]


async def test_who_lost_the_lease_opens_nothing(stage: Stage, reply: Reply) -> None:
    stage.clock.forward(60)
    await stage.lease()
    with pytest.raises(LeaseLost):
        await reply.show("One")
    assert stage.platform.calls == []


async def test_who_may_have_lost_the_lease_opens_nothing(stage: Stage) -> None:
    await stage.say("Hello")
    hold = HeldLease(await stage.lease(), stage.clock, claimed_at=monotonic() - 15)
    reply = replying(stage, hold, await stage.opened(hold))
    with pytest.raises(LeaseLost, match="lapsed"):
        await reply.show("One")
    assert stage.platform.calls == []


async def test_who_may_have_lost_the_lease_edits_nothing(stage: Stage) -> None:
    stage.lease_seconds = 0.5
    await stage.say("Hello")
    hold = await stage.hold()
    reply = replying(stage, hold, await stage.opened(hold))
    await reply.show("One")
    await until_lapsed(hold)
    with pytest.raises(LeaseLost, match="lapsed"):
        await reply.show("One two")
    assert stage.platform.transcript == ["One"]


async def until_lapsed(hold: HeldLease) -> None:
    """Wait until the hold is no longer sure of its lease."""
    with suppress(LeaseLost):
        while True:
            hold.check()
            await asyncio.sleep(0.01)
