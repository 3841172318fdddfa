"""The core delivers to Slack: once and in order, while Slack breaks off, refuses and slows down."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from bots.slack import rates
from core.errors import ModelDown
from storage.database import Database
from tests.bots.slack.outward import CHANNEL, adapter_of, client_of
from tests.core.given import Stage
from tests.peers.slack.peer import SlackPeer
from tests.peers.slack.transcript import Line

ROOM = f"slack/T0001/{CHANNEL}"


@pytest.fixture
async def slack() -> AsyncIterator[SlackPeer]:
    async with SlackPeer(seed=7) as peer:
        yield peer


@pytest.fixture
async def stage(slack: SlackPeer, sqlite: Database) -> AsyncIterator[Stage]:
    """An agent whose platform is Slack; each look at its clock is a second later."""
    assert sqlite.file
    async with client_of(slack) as client:
        yield Stage(adapters={"slack": adapter_of(client)})


async def settle(stage: Stage, conversation_id: int) -> None:
    """Attend until nothing is left to do; what was put off comes at once."""
    while (await stage.conversation(ROOM)).ready_at is not None:
        stage.clock.forward(300)
        await stage.worker().attend(conversation_id)
        await asyncio.sleep(0.01)


BREAKS = (
    "drop_after_commit",
    "drop_before_commit",
    "status_after_commit",
    "status",
    "error_after_commit",
    "error",
)


async def ask(stage: Stage, text: str = "Hello") -> None:
    """Somebody asks, and is answered whatever it takes."""
    await settle(stage, (await stage.say(text, room=ROOM)).conversation_id)


def answers(slack: SlackPeer) -> list[Line]:
    """What the bot has said."""
    return [line for line in slack.transcript(CHANNEL) if line.is_bot]


@pytest.mark.usefixtures("no_pauses")
@pytest.mark.parametrize("method", ["chat.postMessage", "chat.update"])
async def test_an_answer_that_broke_off_is_there_once(
    slack: SlackPeer, stage: Stage, method: str
) -> None:
    for number, trouble in enumerate(BREAKS):
        fault = slack.fault(method, trouble, times=1)
        await ask(stage)
        assert [call.fault for call in slack.calls(method)].count(fault.trouble) == 1, trouble
        shown = [(line.text, "Stop" in line.buttons) for line in answers(slack)[number:]]
        assert shown == [("You said: Hello", False)], trouble


async def test_many_answers_through_a_bad_line_are_each_there_once_and_in_order(
    slack: SlackPeer, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rates, "_POSTS", 100.0)  # else it waits for its turn most of the time
    slack.fault("chat.postMessage", "drop_after_commit", probability=0.1)
    slack.fault("chat.postMessage", "drop_before_commit", probability=0.1)
    slack.fault("chat.update", "drop_after_commit", probability=0.1)
    slack.fault("conversations.history", "status", probability=0.1)
    for number in range(12):
        await ask(stage, f"{number}")
    assert [line.text for line in answers(slack)] == [f"You said: {each}" for each in range(12)]


async def test_when_slack_asks_to_slow_down_the_answer_comes_later(
    slack: SlackPeer, stage: Stage
) -> None:
    slack.fault("chat.postMessage", "ratelimited", times=1, retry_after=1)
    await ask(stage)
    assert [line.text for line in answers(slack)] == ["You said: Hello"]


async def test_a_long_answer_is_split_below_the_limit(slack: SlackPeer, stage: Stage) -> None:
    paragraph = "All of this is one paragraph. " * 100
    stage.model.script("\n\n".join([paragraph.strip()] * 8))
    await ask(stage)
    lines = answers(slack)
    assert len(lines) == 3
    assert "\n\n".join(line.text for line in lines) == "\n\n".join([paragraph.strip()] * 8)
    assert not any("Stop" in line.buttons for line in lines)


async def test_every_part_stands_in_the_thread_of_the_question(
    slack: SlackPeer, stage: Stage
) -> None:
    thread = slack.say(CHANNEL, "U0ANNA", "question")
    stage.model.script("\n\n".join(["word " * 1_000] * 5))
    accepted = await stage.say("Hello", room=ROOM, reply_to=thread)
    await settle(stage, accepted.conversation_id)
    assert [line.thread for line in answers(slack)] == [thread] * 3


@pytest.mark.usefixtures("no_pauses")
async def test_code_that_is_too_long_comes_once_as_a_file(slack: SlackPeer, stage: Stage) -> None:
    code = "\n".join(f"print({number})" for number in range(2_000))
    for number, fault in enumerate(("", "drop_after_commit", "drop_before_commit", "status")):
        stage.model.script(f"Here it is:\n\n```python\n{code}\n```\n\nThat is all.")
        if fault:
            slack.fault("files.completeUploadExternal", fault, times=1)
        await ask(stage)
        before, file, after = answers(slack)[3 * number :]
        assert (before.text, after.text) == ("Here it is:", "That is all."), fault
        shared = [each for each in slack.backend.world.files.values() if each.shares]
        assert len(shared) == number + 1, fault
        assert file.files == (shared[-1].name,), fault
        assert shared[-1].content.decode() == f"{code}\n", fault


@pytest.mark.usefixtures("no_pauses")
async def test_nothing_a_model_writes_pings_in_any_message(slack: SlackPeer, stage: Stage) -> None:
    stage.model.script("<!channel> @everyone " * 2_000)
    await ask(stage)
    assert not any(line.pings for line in answers(slack))
    assert "@" not in "".join(line.text for line in answers(slack))


@pytest.mark.parametrize("thread", [None, "1700000000.000100"])
async def test_that_a_model_is_away_is_told_in_the_message_that_becomes_the_answer(
    slack: SlackPeer, stage: Stage, thread: str | None
) -> None:
    stage.model.script(*[ModelDown("away")] * 4)
    accepted = await stage.say("Hello", room=ROOM, reply_to=thread)
    for _ in range(4):
        await stage.worker().attend(accepted.conversation_id)
        stage.clock.forward(9)
    [told] = answers(slack)
    assert told.text.startswith("(I cannot reach my language model right now")
    await settle(stage, accepted.conversation_id)
    assert [(line.ts, line.text) for line in answers(slack)] == [(told.ts, "You said: Hello")]
