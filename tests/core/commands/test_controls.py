"""What people press below an answer, whichever process wrote it."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from core.address import Address
from core.commands.controls import Controls, Press
from core.config.access import Access
from core.messaging.messages import Attachment, Author, RoutedMessage
from storage import inbox, outbox, turns
from tests.core.given import ROOM, Stage
from tests.core.messaging.test_access import ANNA, Known, let

HERE = Address.parse(ROOM)
THREAD = HERE.below("7.5")
BEN = Author(id="ben", name="Ben")


@pytest.fixture
def controls(stage: Stage) -> Controls:
    return Controls(stage.worker(), stage.intake, stage.directory, stage.clock)


async def answered(stage: Stage, *texts: str, room: str = ROOM) -> str:
    """Ask these together; the key of the answer."""
    accepted = [await stage.say(text, room=room) for text in texts]
    return await finished(stage, accepted[-1].conversation_id, room)


async def finished(stage: Stage, conversation_id: int, room: str = ROOM) -> str:
    """The key of the newest answer there, once everything is answered."""
    await stage.worker().attend(conversation_id)
    return [post for post in stage.platform.posts if post.room == room][-1].key


def press(stage: Stage, number: int = 1) -> Press:
    return Press(key=f"{ROOM}/cmd/{number}", author=BEN, position=1_000 + number, at=stage.clock())


async def test_everything_below_an_address_is_stopped(stage: Stage, controls: Controls) -> None:
    await stage.say("First", room=THREAD.key)
    opened = await stage.opened(await stage.hold(THREAD.key))
    assert await controls.stop_below(Address.parse("slack/T1/C"), BEN) == 0
    assert await controls.stop_below(HERE, BEN) == 1
    assert (await turns.news(opened.turn.id)).is_stop_asked


async def test_who_may_not_ask_an_agent_stops_nothing_of_it(
    stage: Stage, controls: Controls
) -> None:
    await stage.say("First", room=THREAD.key)
    opened = await stage.opened(await stage.hold(THREAD.key))
    stage.gate.join("slack", Known())
    let(stage, ada=Access(deny=frozenset({"slack/UANNA"})))
    assert await controls.stop_below(HERE, ANNA) == 0
    assert not (await turns.news(opened.turn.id)).is_stop_asked
    assert await controls.stop_below(HERE, BEN) == 1


async def test_what_was_asked_is_asked_again_at_the_same_place(
    stage: Stage, controls: Controls
) -> None:
    key = await answered(stage, "Who owns it?", "The deadline, I mean.", room=THREAD.key)
    accepted = await controls.again(key, press(stage))
    assert accepted
    assert accepted.is_new
    await finished(stage, accepted.conversation_id, THREAD.key)
    first, second = (post for post in stage.platform.posts if post.room == THREAD.key)
    assert (second.reply_to, second.agent) == (first.reply_to, "Ada")
    asked = await inbox.by_key(accepted.key)
    assert asked
    assert asked.text == "Who owns it?\nThe deadline, I mean."
    assert (asked.author_id, asked.author, asked.position) == ("ben", "Ben", 1_001)


async def test_a_press_that_arrives_twice_asks_once(stage: Stage, controls: Controls) -> None:
    key = await answered(stage, "Who owns it?")
    first = await controls.again(key, press(stage))
    second = await controls.again(key, press(stage))
    assert first
    assert second
    assert (first.is_new, second.is_new) == (True, False)


async def test_what_was_asked_again_can_be_asked_again(stage: Stage, controls: Controls) -> None:
    key = await answered(stage, "Who owns it?")
    for number in (1, 2):
        accepted = await controls.again(key, press(stage, number))
        assert accepted
        key = await finished(stage, accepted.conversation_id)
    assert len(stage.platform.posts) == 3


async def test_files_come_with_the_question_again(stage: Stage, controls: Controls) -> None:
    plan = Attachment(name="plan.txt", kind="text/plain", size=3, url="http://files/plan")
    incoming = RoutedMessage(
        key=f"{ROOM}/1",
        address=HERE,
        author=BEN,
        text="",
        sent_at=stage.clock(),
        position=1,
        attachments=(plan,),
    )
    accepted = await stage.intake.accept(incoming, "Ada")
    key = await finished(stage, accepted.conversation_id)
    assert await controls.again(key, press(stage))
    asked = await inbox.by_key(press(stage).key)
    assert asked
    assert asked.attachments == [asdict(plan)]


async def test_an_answer_that_nobody_knows_cannot_be_asked_for_again(
    stage: Stage, controls: Controls
) -> None:
    await answered(stage, "Who owns it?")
    assert await controls.again("of-another-database", press(stage)) is None
    assert await outbox.of_turn(2) == []
