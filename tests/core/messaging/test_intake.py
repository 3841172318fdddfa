"""A message is accepted once, cleaned, for an agent that exists."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from core.address import Address, Readers
from core.errors import UserMistake
from core.messaging.intake import Accepted
from core.messaging.messages import Author, RoutedMessage
from storage import conversations, facts, inbox
from storage.facts import Statement
from storage.models import Conversation
from tests.core.given import ROOM, Stage
from tests.statements import asked


def incoming(stage: Stage) -> RoutedMessage:
    """A message from Ana."""
    return RoutedMessage(
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
        agent="Ada",
        agent_id=(await stage.agent()).id,
        conversation_id=conversation,
        key="T1.C1.17",
        is_new=True,
    )
    assert (stored.author_id, stored.author, stored.text) == ("U1", "Ana", "Hello")
    assert (stored.position, stored.reply_to, stored.sent_at) == (17, "q17", message.sent_at)


async def test_a_repeated_event_is_the_same_message(stage: Stage) -> None:
    first = await stage.intake.accept(incoming(stage), "Ada")
    second = await stage.intake.accept(incoming(stage), "Ada")
    assert second == replace(first, is_new=False)


async def test_a_first_message_is_stored_with_its_conversation(stage: Stage) -> None:
    await stage.say("Hello", room="slack/T1/C2")  # the agent is known from now on
    async with asked() as statements:
        accepted = await stage.intake.accept(incoming(stage), "Ada")
    assert accepted.is_new
    assert statements.transactions == 1
    (stored,) = await inbox.unanswered(accepted.conversation_id)
    assert stored.key == "T1.C1.17"


async def test_a_conversation_that_another_process_knows_is_looked_for_once(stage: Stage) -> None:
    await stage.intake.accept(incoming(stage), "Ada")
    stage.intake._known.clear()
    async with asked() as statements:
        await stage.intake.accept(replace(incoming(stage), key="k2"), "Ada")
    looked = [each for each in statements if each.startswith("SELECT") and "conversation" in each]
    assert len(looked) == 1, looked


async def test_of_messages_that_come_first_at_once_none_is_lost(stage: Stage) -> None:
    async with asyncio.TaskGroup() as group:
        said = [
            group.create_task(stage.intake.accept(replace(incoming(stage), key=f"k{n}"), "Ada"))
            for n in range(7)
        ]
    assert all(each.result().is_new for each in said)
    (where,) = {each.result().conversation_id for each in said}
    assert len(await inbox.unanswered(where)) == 7


async def test_a_conversation_belongs_to_an_agent_and_an_address(stage: Stage) -> None:
    here = await stage.say("Hello")
    again = await stage.say("Hello")
    elsewhere = await stage.say("Hello", room="slack/T1/C2")
    assert here.conversation_id == again.conversation_id != elsewhere.conversation_id


async def test_a_conversation_that_is_gone_is_opened_anew(stage: Stage) -> None:
    await stage.say("Hello")
    await Conversation.all().delete()
    accepted = await stage.say("Hello again")
    assert (await conversations.by_id(accepted.conversation_id)).address == ROOM
    assert (await conversations.by_id(accepted.conversation_id)).ready_at


async def _said_to(stage: Stage, readers: Readers, path: str = ROOM, key: str = "k") -> str:
    """Who can read there, as it is kept after a message that said so."""
    address = Address.parse(path, readers)
    message = replace(incoming(stage), key=key, address=address)
    accepted = await stage.intake.accept(message, "Ada")
    return (await conversations.by_id(accepted.conversation_id)).readers


async def test_who_can_read_there_is_kept_and_private_stays_private(stage: Stage) -> None:
    kept = [
        await _said_to(stage, Readers(readers), key=f"k{number}")
        for number, readers in enumerate(("", "everybody", "", "channel", "everybody", ""))
    ]
    assert kept == ["", "everybody", "everybody", "channel", "channel", "channel"]


async def _told_in_channel(stage: Stage, key: str, source: str) -> None:
    """A fact stands in the channel, as all did before threads were told apart."""
    told = Statement(
        key=key,
        agent_id=(await stage.directory.get("Ada")).id,
        scope="discord/1/2",
        text=key,
        said_by="Ana",
        source_key=source,
        said_at=stage.clock(),
    )
    await facts.add(told)


async def test_facts_told_in_a_thread_move_into_it_once_it_is_known_as_private(
    stage: Stage,
) -> None:
    agent = await stage.directory.get("Ada")
    for key, source in (
        ("a.1", "discord/1/3/8"),
        ("discord/1/3/cmd/9", "discord/1/@4"),
        ("a.2", "discord/1/2/8"),
        ("discord/1/33/cmd/9", "discord/1/@4"),
    ):
        await _told_in_channel(stage, key, source)
    assert await _said_to(stage, Readers.THREAD, "discord/1/2/3") == "thread"
    inside = await facts.current(agent_id=agent.id, scope="discord/1/2/3")
    outside = await facts.current(agent_id=agent.id, scope="discord/1/2")
    assert [fact.text for fact in inside] == ["a.1", "discord/1/3/cmd/9"]
    assert [fact.text for fact in outside] == ["a.2", "discord/1/33/cmd/9"]


async def test_killed_after_facts_moved_and_before_readers_were_kept_both_are_done_again(
    stage: Stage,
) -> None:
    agent = await stage.directory.get("Ada")
    await _told_in_channel(stage, "a.1", "discord/1/3/8")
    await _said_to(stage, Readers.THREAD, "discord/1/2/3", key="k1")
    await Conversation.filter(address="discord/1/2/3").update(readers=Readers.UNKNOWN)
    await _told_in_channel(stage, "a.2", "discord/1/3/9")
    assert await _said_to(stage, Readers.THREAD, "discord/1/2/3", key="k2") == "thread"
    inside = await facts.current(agent_id=agent.id, scope="discord/1/2/3")
    assert [fact.text for fact in inside] == ["a.1", "a.2"]


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
