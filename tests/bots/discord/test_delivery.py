"""The core delivers to Discord: once and in order, while it breaks off, refuses and slows down."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from bots.discord.channels import ReplyTo
from core.config.spec import AgentSpec
from core.llm import Finished, TextDelta, TokenUsage
from storage.database import Database
from storage.models import OutboxMessage, OutboxState
from tests.bots.discord.adapter_helpers import adapter_of, bots, rest_of
from tests.core.given import Hands, Stage
from tests.peers.discord.peer import DiscordPeer

LONGER_THAN_A_NONCE = 300.0  # seconds


@pytest.fixture
def clock() -> Hands:
    return Hands()


@pytest.fixture
async def discord(clock: Hands) -> AsyncIterator[DiscordPeer]:
    """Its clock is that of the stage, so that nonces are forgotten between two tries."""
    async with DiscordPeer(seed=7, now=lambda: clock.at.timestamp()) as discord:
        yield discord


@pytest.fixture
async def stage(discord: DiscordPeer, clock: Hands, sqlite: Database) -> AsyncIterator[Stage]:
    """An agent whose platform is Discord, with a call's time short enough to run out."""
    assert sqlite.file
    async with rest_of(discord, seconds=3) as rest:
        yield Stage(adapters={"discord": adapter_of(rest, None)}, clock=clock)


async def settle(stage: Stage, room: str, conversation_id: int) -> None:
    """Attend until nothing is left to do; what was put off comes at once."""
    while (await stage.conversation(room)).ready_at is not None:
        stage.clock.forward(LONGER_THAN_A_NONCE)
        await stage.worker().attend(conversation_id)
        await asyncio.sleep(0.01)


async def ask(
    discord: DiscordPeer,
    stage: Stage,
    text: str = "Hello",
    *,
    at: str = "",
    in_thread: bool = False,
) -> str:
    """Anna asks in #general, and is answered whatever it takes; returns her message's id."""
    at = at or discord.general
    question = discord.say(at, discord.anna, text)
    channel = question if in_thread else at
    room = f"discord/{discord.guild}/{at}{f'/{question}' if in_thread else ''}"
    reply_to = ReplyTo(channel=int(channel), message=int(question)).key
    accepted = await stage.say(text, room=room, reply_to=reply_to)
    await settle(stage, room, accepted.conversation_id)
    return question


def struck(discord: DiscordPeer) -> int:
    """How many calls a fault has struck."""
    return sum(bool(call.fault) for call in discord.calls())


def texts(discord: DiscordPeer, channel: str = "") -> list[str]:
    """What the bot has said."""
    return [line.text for line in bots(discord, channel)]


@pytest.mark.parametrize("label", ["messages.create", "messages.edit"])
async def test_an_answer_that_broke_off_is_there_once(
    discord: DiscordPeer, stage: Stage, label: str
) -> None:
    cases = (
        ("drop_after_commit", 0),
        ("drop_before_commit", 0),
        ("status_after_commit", 502),
        ("status_after_commit", 503),
        ("status", 503),
        ("banned", 0),
        ("ratelimited", 0),
        ("ratelimited_globally", 0),
    )
    for number, (trouble, status) in enumerate(cases, 1):
        channel, case = discord.add_channel(trouble), f"{trouble} {status}"
        discord.fault(label, trouble, times=1, status=status, retry_after=0.05)
        question = await ask(discord, stage, at=channel)
        assert struck(discord) == number, case
        [line] = bots(discord, channel)
        assert (line.text, line.reply_to) == ("You said: Hello", question), case
        assert "Stop" not in line.buttons, case


@pytest.mark.parametrize("label", ["messages.create", "messages.edit"])
async def test_a_storm_of_limits_is_sat_out(discord: DiscordPeer, stage: Stage, label: str) -> None:
    discord.fault(label, "ratelimited", times=4, retry_after=0.05)
    discord.fault(label, "banned", times=6)
    await ask(discord, stage)
    assert texts(discord) == ["You said: Hello"]


async def test_an_answer_whose_call_ran_out_of_time_is_there_once(
    discord: DiscordPeer, clock: Hands, sqlite: Database
) -> None:
    assert sqlite.file
    async with rest_of(discord, seconds=1) as rest:
        stage = Stage(adapters={"discord": adapter_of(rest, None)}, clock=clock)
        discord.fault("messages.create", "delay_after_commit", times=1, seconds=3)
        await ask(discord, stage)
    assert texts(discord) == ["You said: Hello"]


async def test_many_answers_through_a_bad_line_are_each_there_once_and_in_order(
    discord: DiscordPeer, stage: Stage
) -> None:
    for label in ("messages.create", "messages.edit"):
        discord.fault(label, "drop_after_commit", probability=0.1)
        discord.fault(label, "drop_before_commit", probability=0.1)
        discord.fault(label, "status_after_commit", status=503, probability=0.1)
    discord.fault("messages.list", "status", status=503, probability=0.1)
    for number in range(12):
        await ask(discord, stage, f"{number}")
    assert texts(discord) == [f"You said: {each}" for each in range(12)]


@pytest.mark.parametrize("label", ["threads.create", "messages.create"])
async def test_a_thread_is_opened_once_though_the_answer_broke_off(
    discord: DiscordPeer, stage: Stage, label: str
) -> None:
    for number, trouble in enumerate(("drop_after_commit", "drop_before_commit", "banned"), 1):
        discord.fault(label, trouble, times=1)
        question = await ask(discord, stage, in_thread=True)
        assert struck(discord) == number, trouble
        assert texts(discord, question) == ["You said: Hello"], trouble
        assert texts(discord) == [], trouble
        opened = [call for call in discord.calls("threads.create") if call.is_committed]
        assert len(opened) == number, trouble


async def test_an_answer_in_a_thread_that_is_archived_meanwhile_ends_there(
    discord: DiscordPeer, stage: Stage
) -> None:
    discord.fault("messages.edit", "error", status=400, code=50083, times=1)
    question = await ask(discord, stage, in_thread=True)
    assert texts(discord, question) == ["You said: Hello"]
    assert [call.body for call in discord.calls("channels.edit")] == [{"archived": False}]


async def test_an_answer_to_a_deleted_question_is_given_all_the_same(
    discord: DiscordPeer, stage: Stage
) -> None:
    question = discord.say(discord.general, discord.anna, "Hello")
    room = f"discord/{discord.guild}/{discord.general}"
    reply_to = ReplyTo(channel=int(discord.general), message=int(question)).key
    accepted = await stage.say("Hello", room=room, reply_to=reply_to)
    discord.delete(question)
    await settle(stage, room, accepted.conversation_id)
    assert texts(discord) == ["You said: Hello"]


async def test_an_answer_that_may_not_be_said_is_given_up(
    discord: DiscordPeer, stage: Stage
) -> None:
    discord.deny(discord.general, "SEND_MESSAGES")
    await ask(discord, stage)
    assert texts(discord) == []
    assert await OutboxMessage.filter(state=OutboxState.DEAD).count() == 1


async def test_without_the_history_an_answer_that_broke_off_is_there_once_if_tried_again_soon(
    discord: DiscordPeer, stage: Stage
) -> None:
    discord.backend.posts.nonce_seconds = 2 * LONGER_THAN_A_NONCE
    discord.deny(discord.general, "READ_MESSAGE_HISTORY")
    discord.fault("messages.create", "drop_after_commit", times=1, skip=1)
    await ask(discord, stage)
    assert texts(discord) == ["You said: Hello"]


def long_answer(parts: int) -> str:
    """Fills that many messages, each but the last to Discord's limit."""
    return "".join(f"{number:x<9} " * 200 for number in range(parts - 1)) + "the end"


def write(stage: Stage, text: str) -> None:
    """The model's next answer, in longer pieces than words: a thousand of them take a while."""
    pieces = (text[at : at + 500] for at in range(0, len(text), 500))
    end = Finished(text=text, model="scripted", usage=TokenUsage(input=100, output=10))
    stage.model.script((*(TextDelta(text=piece) for piece in pieces), end))


async def test_the_messages_of_a_long_answer_are_full(discord: DiscordPeer, stage: Stage) -> None:
    write(stage, long_answer(4))
    await ask(discord, stage)
    assert [len(text) for text in texts(discord)] == [1_999, 1_999, 1_999, 7]
    assert " ".join(texts(discord)).split() == long_answer(4).split()


async def test_a_long_answer_replies_with_its_first_message_and_ends_with_buttons(
    discord: DiscordPeer, stage: Stage
) -> None:
    write(stage, long_answer(3))
    question = await ask(discord, stage)
    lines = bots(discord)
    assert [line.reply_to for line in lines] == [question, "", ""]
    assert [line.buttons for line in lines] == [(), (), ("👍", "👎", "Again")]


@pytest.mark.parametrize("in_thread", [False, True])
@pytest.mark.parametrize("answer", ["different", "all the same"])
@pytest.mark.parametrize("trouble", ["drop_after_commit", "drop_before_commit"])
async def test_each_message_of_a_long_answer_that_broke_off_is_there_once(
    discord: DiscordPeer, stage: Stage, trouble: str, answer: str, in_thread: bool
) -> None:
    text = long_answer(4) if answer == "different" else "word " * 1_600
    for skip in range(4):
        channel = discord.add_channel(f"message {skip} breaks off")
        write(stage, text)
        discord.fault("messages.create", trouble, times=1, skip=skip)
        question = await ask(discord, stage, at=channel, in_thread=in_thread)
        assert struck(discord) == skip + 1, f"{skip=}"
        lines = bots(discord, question if in_thread else channel)
        assert " ".join(line.text for line in lines).split() == text.split(), f"{skip=}"
        assert [line.buttons != () for line in lines] == [False, False, False, True], f"{skip=}"
        replies = [line.reply_to for line in lines]
        assert replies == ["" if in_thread else question, "", "", ""], f"{skip=}"


async def test_the_edit_that_ends_the_first_message_of_a_long_answer_can_break_off(
    discord: DiscordPeer, stage: Stage
) -> None:
    for number, trouble in enumerate(("drop_after_commit", "drop_before_commit"), 1):
        channel = discord.add_channel(trouble)
        write(stage, long_answer(3))
        discord.fault("messages.edit", trouble, times=1)
        await ask(discord, stage, at=channel)
        assert struck(discord) == number, trouble
        assert [len(text) for text in texts(discord, channel)] == [1_999, 1_999, 7], trouble


async def test_an_answer_of_too_many_messages_becomes_its_first_part_and_a_file(
    discord: DiscordPeer, stage: Stage
) -> None:
    answer = f"# All of it\n\n{long_answer(5)}\n\n```python\nprint()\n```"
    write(stage, answer)
    question = await ask(discord, stage)
    first, file = bots(discord)
    assert first.text.startswith("# All of it\n\n0x")
    assert first.text.endswith("\n\n(The whole is in the file below.)")
    assert 1_900 < len(first.text) <= 2_000
    assert (first.reply_to, first.buttons) == (question, ())
    assert (file.text, file.reply_to, file.buttons[-1]) == ("", "", "Again")
    [uploaded] = [
        each for each in discord.backend.world.attachments.values() if each.name in file.files
    ]
    assert uploaded.name.endswith(".md")
    assert uploaded.content.decode() == f"{answer}\n"


async def test_an_agent_may_answer_in_more_messages(
    discord: DiscordPeer, clock: Hands, sqlite: Database
) -> None:
    assert sqlite.file
    async with rest_of(discord) as rest:
        spec = AgentSpec(name="Ada", tools=(), max_messages=6)
        stage = Stage(adapters={"discord": adapter_of(rest)}, clock=clock, spec=spec)
        write(stage, long_answer(6))
        await ask(discord, stage)
    assert [len(text) for text in texts(discord)][:5] == [1_996] * 5
    assert all(text.startswith("-# Ada\n") for text in texts(discord))


@pytest.mark.parametrize("skip", [0, 1])
async def test_a_file_with_the_whole_answer_that_broke_off_is_there_once(
    discord: DiscordPeer, stage: Stage, skip: int
) -> None:
    write(stage, long_answer(6))
    discord.fault("messages.create", "drop_after_commit", times=1, skip=skip)
    await ask(discord, stage)
    assert [len(line.files) for line in bots(discord)] == [0, 1]


async def test_code_that_is_too_long_comes_once_as_a_file(
    discord: DiscordPeer, stage: Stage
) -> None:
    code = "\n".join(f"print({number})" for number in range(500))
    for trouble in ("", "drop_after_commit", "drop_before_commit", "banned"):
        channel = discord.add_channel(trouble or "all is well")
        write(stage, f"Here it is:\n\n```python\n{code}\n```\n\nThat is all.")
        if trouble:
            discord.fault("messages.create", trouble, times=1, skip=1)
        await ask(discord, stage, at=channel)
        before, file, after = bots(discord, channel)
        assert (before.text, after.text) == ("Here it is:", "That is all."), trouble
        uploaded = [
            each.content.decode()
            for each in discord.backend.world.attachments.values()
            if each.channel == channel and each.name in file.files
        ]
        assert uploaded == [f"{code}\n"], trouble


async def test_nothing_a_model_writes_pings_in_any_message(
    discord: DiscordPeer, stage: Stage
) -> None:
    write(stage, "@everyone @here <@&1> " * 300)
    await ask(discord, stage)
    assert not any(line.pings for line in bots(discord))
    assert "@" not in "".join(texts(discord))
