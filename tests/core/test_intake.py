"""A message is accepted once, cleaned, for an agent that exists."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.address import Address
from core.errors import UserMistake
from core.intake import Accepted
from core.messages import Author, Incoming
from storage import inbox
from tests.core.given import ROOM, Stage


def incoming(stage: Stage) -> Incoming:
    """A message from Ana."""
    return Incoming(
        key="T1.C1.17",
        address=Address.parse(ROOM),
        author=Author(id="U1", name="Ana"),
        text="Hello",
        sent_at=stage.clock(),
        position=17,
        reply_to="q17",
    )


async def test_a_message_is_stored_as_it_was_said(stage: Stage) -> None:
    message = incoming(stage)
    accepted = await stage.intake.accept(message, "Ada")
    stored = await inbox.by_key("T1.C1.17")
    assert stored
    conversation = stored.conversation_id
    assert accepted == Accepted(
        agent="Ada", conversation_id=conversation, key="T1.C1.17", is_new=True
    )
    assert (stored.author_id, stored.author, stored.text) == ("U1", "Ana", "Hello")
    assert (stored.position, stored.reply_to, stored.sent_at) == (17, "q17", message.sent_at)


async def test_a_repeated_event_is_the_same_message(stage: Stage) -> None:
    first = await stage.intake.accept(incoming(stage), "Ada")
    second = await stage.intake.accept(incoming(stage), "Ada")
    assert second == replace(first, is_new=False)


async def test_a_conversation_belongs_to_an_agent_and_an_address(stage: Stage) -> None:
    here = await stage.say("Hello")
    again = await stage.say("Hello")
    elsewhere = await stage.say("Hello", room="slack/T1/C2")
    assert here.conversation_id == again.conversation_id != elsewhere.conversation_id


async def test_what_no_database_can_hold_is_left_out(stage: Stage) -> None:
    accepted = await stage.say("\0 Hel\ud800lo\x1b ")
    stored = await inbox.by_key(accepted.key)
    assert stored
    assert stored.text == "Hello"


@pytest.mark.parametrize(
    ("given", "kept"),
    [("A\0na\ud800 \n Lee", "Ana Lee"), ("x" * 500, "x" * 80), ("\0", "somebody")],
)
async def test_a_name_is_one_short_line(stage: Stage, given: str, kept: str) -> None:
    message = replace(incoming(stage), author=Author(id="U1", name=given))
    await stage.intake.accept(message, "Ada")
    stored = await inbox.by_key("T1.C1.17")
    assert stored
    assert stored.author == kept
    assert (await stage.conversation()).opened_by == kept


async def test_there_has_to_be_such_an_agent(stage: Stage) -> None:
    with pytest.raises(UserMistake, match="There is no agent 'Nobody'"):
        await stage.intake.accept(incoming(stage), "Nobody")
    assert await inbox.by_key("T1.C1.17") is None
