"""Whoever is asked in a thread or channel is shown what others said there before, once."""

from __future__ import annotations

import pytest

from core.messaging import earlier
from core.messaging.messages import Author, Quote
from tests.bots.slack.bots import Workspace
from tests.peers.endpoint import Reply

AGENTS = "[agents.assistant]\n"
HERE, ANNA, BEN = "C0GENERAL", "U0ANNA", "U0BEN"
HEADING = "[said in this thread before; quoted, not asked of you:]"
CHANNEL = "[said in this channel before; quoted, not asked of you:]"


async def shown(workspace: Workspace, count: int = 1) -> list[str]:
    """What people say in the newest prompt, once there are so many answers."""
    await workspace.answered(HERE, count)
    messages = workspace.endpoint.requests[-1]["messages"]
    return [str(each["content"]) for each in messages if each["role"] == "user"]


async def test_a_mention_in_the_middle_of_a_thread_carries_it(workspace: Workspace) -> None:
    slack = workspace.slack
    async with workspace.bot(AGENTS):
        thread = slack.say(HERE, BEN, "the crane is broken")
        slack.share_file(
            HERE, ANNA, "crane.txt", b"abc", text=f"<@{BEN}> since when?", thread=thread
        )
        slack.say_as_other_bot(HERE, "alarm 7", thread)
        slack.say(HERE, ANNA, f"{slack.mention} summarise this thread", thread)
        [first] = await shown(workspace)
        slack.say(HERE, ANNA, "thanks", thread)
        then = await shown(workspace, 2)
    assert first == (
        f"{HEADING}\n> ben: the crane is broken\n> anna: @ben since when?\n> [file: crane.txt]\n"
        "> otherbot: alarm 7\n\nsummarise this thread"
    )
    assert "crane" not in str(then)
    assert workspace.rows("SELECT text FROM message WHERE role = 'user' ORDER BY seq") == [
        ("summarise this thread",),
        ("thanks",),
    ]


async def test_a_file_is_named_in_what_is_carried_whatever_is_known_of_it(
    workspace: Workspace,
) -> None:
    slack = workspace.slack
    stub = {"id": "F0ELSEWHERE", "file_access": "check_file_info"}
    voice = {"id": "F0VOICE", "name": "audio.m4a", "subtype": "slack_audio", "duration_ms": 12_400}
    plan = {"id": "F0PLAN", "name": "plan.pdf"}
    async with workspace.bot(AGENTS):
        thread = slack.send(HERE, BEN, "", subtype="file_share", files=[stub, plan])
        slack.send(HERE, BEN, "", thread=thread, subtype="file_share", files=[voice])
        slack.forward(HERE, BEN, "look", of="Cy", files=[stub], thread=thread)
        slack.say(HERE, ANNA, f"{slack.mention} well?", thread)
        [seen] = await shown(workspace)
    assert seen == (
        f"{HEADING}\n> ben: [file]\n> [file: plan.pdf]\n> ben: [voice message, 0:12]\n"
        "> ben: [forwarded message of Cy; quoted, not asked of you:]\n> > look\n> [file]\n\nwell?"
    )


async def test_of_a_thread_whose_first_message_is_gone_the_rest_is_carried(
    workspace: Workspace,
) -> None:
    slack = workspace.slack
    async with workspace.bot(AGENTS):
        thread = slack.say(HERE, BEN, "the crane is broken")
        slack.say(HERE, BEN, "since six", thread)
        slack.delete(HERE, thread)
        slack.say(HERE, ANNA, f"{slack.mention} well?", thread)
        [seen] = await shown(workspace)
    assert seen == f"{HEADING}\n> ben: since six\n\nwell?"


async def test_what_was_said_while_it_was_quiet_is_carried(workspace: Workspace) -> None:
    slack = workspace.slack
    async with workspace.bot(AGENTS):
        thread = slack.say(HERE, ANNA, f"{slack.mention} hello")
        await workspace.answered(HERE)
        slack.say(HERE, ANNA, f"<@{BEN}> can you?", thread)
        await slack.until_quiet()
        slack.say(HERE, BEN, "at six", thread)
        await slack.until_quiet()
        slack.say(HERE, ANNA, f"{slack.mention} when?", thread)
        seen = (await shown(workspace, 2))[-1]
    assert seen == f"{HEADING}\n> anna: @ben can you?\n> ben: at six\n\nwhen?"


async def test_what_is_carried_in_a_private_channel_stays_there(workspace: Workspace) -> None:
    slack = workspace.slack
    slack.add_channel("C0CLOSED", kind="group", people=[ANNA, BEN])
    direct = slack.direct(ANNA)
    workspace.endpoint.script(Reply(text="Fine."), Reply(text="Fine."))
    async with workspace.bot(AGENTS):
        thread = slack.say("C0CLOSED", BEN, "she gets quetzal")
        slack.say("C0CLOSED", ANNA, f"{slack.mention} well?", thread)
        await workspace.answered("C0CLOSED")
        slack.say("C0CLOSED", ANNA, f"{slack.mention} and here?")
        await workspace.answered("C0CLOSED", 2)
        inside = [str(each) for each in workspace.endpoint.requests]
        slack.say(HERE, ANNA, f"{slack.mention} what does she get?")
        await workspace.answered(HERE)
        slack.say(direct, ANNA, "what does she get?")
        await workspace.answered(direct)
    assert all("quetzal" in each for each in inside)
    assert "quetzal" not in str(workspace.endpoint.requests[len(inside) :])


async def test_a_question_outside_of_a_thread_and_a_follow_up_read_nothing(
    workspace: Workspace,
) -> None:
    slack = workspace.slack
    async with workspace.bot(AGENTS) as bot:
        await bot.caught_up()
        before = len(slack.calls("conversations.replies"))
        thread = slack.say(HERE, ANNA, f"{slack.mention} hello")
        await workspace.answered(HERE)
        slack.say(HERE, ANNA, "and then?", thread)
        await workspace.answered(HERE, 2)
    assert len(slack.calls("conversations.replies")) == before


async def test_whoever_may_not_ask_is_left_out(workspace: Workspace) -> None:
    slack = workspace.slack
    async with workspace.bot(f'{AGENTS}[access]\ndeny = ["slack/{BEN}"]\n'):
        thread = slack.say(HERE, BEN, "the crane is broken")
        slack.say(HERE, ANNA, "since when?", thread)
        slack.say(HERE, ANNA, f"{slack.mention} well?", thread)
        [seen] = await shown(workspace)
    assert seen == f"{HEADING}\n> anna: since when?\n\nwell?"


async def test_a_thread_that_cannot_be_read_is_answered_nevertheless(workspace: Workspace) -> None:
    slack = workspace.slack
    async with workspace.bot(AGENTS) as bot:
        await bot.caught_up()
        for number, error in enumerate(("internal_error", "thread_not_found"), start=1):
            thread = slack.say(HERE, BEN, "the crane is broken")
            await slack.until_quiet()
            slack.fault("conversations.replies", "error", error=error, times=9)
            slack.say(HERE, ANNA, f"{slack.mention} well?", thread)
            [seen] = await shown(workspace, number)
            assert seen.endswith("could not be read: say so if it matters]\n\nwell?"), error
            slack.clear_faults()


def long_thread(workspace: Workspace, *, count: int, seconds: float) -> str:
    """A thread that begins a day ago, with so many replies at such a distance until now."""
    slack = workspace.slack
    thread = slack.say(HERE, BEN, "the beginning", ago=90_000)
    now, channel = float(slack.backend.clock.ts()), slack.backend.world.channels[HERE]
    for number in range(count):
        ts = f"{now - seconds * (count - number):.6f}"
        message = {"type": "message", "user": BEN, "text": f"no {number:05}", "ts": ts}
        channel.messages[ts] = {**message, "thread_ts": thread}  # type: ignore[assignment]  # the peer's own
    return thread


async def test_of_a_thread_without_end_the_newest_are_read_in_a_few_calls(
    workspace: Workspace,
) -> None:
    slack = workspace.slack
    async with workspace.bot(AGENTS) as bot:
        await bot.caught_up()
        for asked, (count, seconds) in enumerate(((1_000, 60), (10_000, 0.01)), start=1):
            thread = long_thread(workspace, count=count, seconds=seconds)
            await slack.until_quiet()
            before = len(slack.calls("conversations.replies"))
            slack.say(HERE, ANNA, f"{slack.mention} well?", thread)
            await workspace.endpoint.arrived(asked)
            seen = str(workspace.endpoint.requests[-1]["messages"][-1]["content"])
            assert len(slack.calls("conversations.replies")) - before <= 9, count
            last = "\n".join(f"> ben: no {number:05}" for number in range(count - 20, count))
            assert seen.endswith(f"{last}\n\nwell?"), count
            assert "no 00000" not in seen, count


def test_the_newest_stay_where_room_is_short() -> None:
    said = [Quote(author=Author(id="U1", name="ben"), text=f"no {number}") for number in range(9)]
    heading = "said in this thread before"
    assert earlier._shown(heading, said, room=25) == (
        f"{HEADING}\n> [… 7 earlier messages]\n> ben: no 7\n> ben: no 8\n\n"
    )
    assert earlier._shown(heading, [], room=25) == ""


async def test_a_first_mention_in_a_channel_carries_the_last_few_messages(
    workspace: Workspace,
) -> None:
    slack = workspace.slack
    async with workspace.bot(AGENTS):
        for number in range(12):
            slack.say(HERE, BEN, f"crane {number}")
        slack.say_as_other_bot(HERE, "alarm 7")
        thread = slack.say(HERE, ANNA, f"{slack.mention} what about it?")
        [first] = await shown(workspace)
        slack.say(HERE, ANNA, "thanks", thread)
        then = await shown(workspace, 2)
    said = "\n".join(f"> ben: crane {number}" for number in range(3, 12))
    assert first == f"{CHANNEL}\n{said}\n> otherbot: alarm 7\n\nwhat about it?"
    assert "crane" not in str(then)
    assert workspace.rows("SELECT text FROM message WHERE role = 'user' ORDER BY seq") == [
        ("what about it?",),
        ("thanks",),
    ]


async def test_of_a_channel_what_was_said_to_the_bot_is_not_carried(workspace: Workspace) -> None:
    slack = workspace.slack
    async with workspace.bot(f'{AGENTS}[access]\ndeny = ["slack/{BEN}"]\n'):
        slack.say(HERE, ANNA, f"{slack.mention} one")
        await workspace.answered(HERE)
        slack.say(HERE, BEN, "the crane is broken")
        slack.say(HERE, ANNA, f"{slack.mention} two")
        seen = await shown(workspace, 2)
    assert seen == ["two"]


async def test_where_everything_is_heard_no_channel_is_read(workspace: Workspace) -> None:
    slack = workspace.slack
    listening = f'{AGENTS}[[bindings]]\nat = "slack/T0001"\nagent = "assistant"\nlisten = "all"\n'
    async with workspace.bot(listening) as bot:
        await bot.caught_up()
        before = len(slack.calls("conversations.history"))
        slack.say(HERE, BEN, "the crane is broken")
        await workspace.answered(HERE)
        slack.say(HERE, ANNA, f"{slack.mention} well?")
        seen = await shown(workspace, 2)
        place = slack.direct(ANNA)
        slack.say(place, ANNA, "hello")
        await workspace.answered(place)
    assert seen == ["well?"]
    assert len(slack.calls("conversations.history")) == before


async def test_a_channel_that_cannot_be_read_keeps_no_answer_waiting(workspace: Workspace) -> None:
    slack = workspace.slack
    async with workspace.bot(AGENTS) as bot:
        await bot.caught_up()
        slack.fault("conversations.history", "status", status=500, times=9)
        slack.say(HERE, BEN, "the crane is broken")
        slack.say(HERE, ANNA, f"{slack.mention} well?")
        assert await shown(workspace) == ["well?"]


async def test_where_slack_lets_few_ask_no_channel_is_read(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(earlier, "_PATIENCE", 0.1)
    slack = workspace.slack
    async with workspace.bot(AGENTS) as bot:
        await bot.caught_up()
        slack.fault("conversations.history", "ratelimited", retry_after=60, times=1)
        slack.say(HERE, BEN, "the crane is broken")
        slack.say(HERE, ANNA, f"{slack.mention} well?")
        assert await shown(workspace) == ["well?"]
        asked = len(slack.calls("conversations.history"))
        slack.say(HERE, ANNA, f"{slack.mention} well?")
        assert "crane" not in str(await shown(workspace, 2))
        assert len(slack.calls("conversations.history")) == asked
