"""A thread once joined goes on without a mention, until somebody else is spoken to."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import product

import pytest

from bots.slack.mention_commands import command_in
from core import kill_points
from core.errors import Transient
from tests.bots.slack.bots import UNSTORED, Workspace
from tests.peers.slack.deliveries import Schedule
from tests.statements import asked

AGENTS = "[agents.assistant]\n[agents.support]\n"
HERE, ANNA, BEN = "C0GENERAL", "U0ANNA", "U0BEN"
TEXTS = "SELECT text FROM inbox ORDER BY position"
IN_THREAD = "SELECT text FROM inbox WHERE thread LIKE '%/{}' ORDER BY position"
ANSWERED = "SELECT count(*) FROM inbox WHERE state = 'answered'"


def bound(listen: str, conversation: str = "thread", channel: str = HERE) -> str:
    return f"""
[[bindings]]
at = "slack/T0001/{channel}"
agent = "assistant"
listen = "{listen}"
conversation = "{conversation}"
"""


async def joined(workspace: Workspace, channel: str = HERE) -> str:
    """A thread in which an agent was asked and has answered."""
    slack = workspace.slack
    before = len(workspace.answers(channel))
    thread = slack.say(channel, ANNA, f"{slack.mention} hello")
    await workspace.answered(channel, before + 1)
    return thread


def has_whispered(workspace: Workspace, count: int, channel: str = HERE) -> bool:
    return len(workspace.whispers(channel)) >= count


def heard(workspace: Workspace, thread: str) -> list[str]:
    """What was heard in this thread."""
    return [str(text) for (text,) in workspace.rows(IN_THREAD.format(thread))]


async def said_after(
    workspace: Workspace, thread: str, *texts: str, channel: str = HERE
) -> list[str]:
    """What was heard there of these; the last of them is heard for sure."""
    slack = workspace.slack
    for text in texts:
        slack.say(channel, ANNA, text, thread)
        await slack.until_quiet()
    slack.say(channel, ANNA, f"{slack.mention} the end", thread)
    await slack.until(lambda: "the end" in heard(workspace, thread))
    await slack.until_quiet()
    return heard(workspace, thread)


async def test_a_follow_up_needs_no_mention_whoever_shares_the_history(
    workspace: Workspace,
) -> None:
    slack = workspace.slack
    slack.add_channel("C0PORT")
    shared_by = {HERE: "thread", "C0SUPPORT": "channel", "C0PORT": "user"}
    agents = "".join(bound("mention", who, channel) for channel, who in shared_by.items())
    async with workspace.bot(f"{AGENTS}{agents}"):
        for channel in shared_by:
            thread = slack.say(channel, BEN, "the crane is broken")
            slack.say(channel, ANNA, f"{slack.mention} hello", thread)
            await workspace.answered(channel)
            slack.say(channel, ANNA, "and who mends it?", thread)
            first, second = await workspace.answered(channel, 2)
            assert first.endswith("> ben: the crane is broken\n\nhello"), shared_by[channel]
            assert second == "You said: and who mends it?", shared_by[channel]
            assert workspace.said(channel, thread) == [first, second], shared_by[channel]
            slack.say(channel, ANNA, "elsewhere")
            slack.say(channel, ANNA, "in another one", slack.say(channel, BEN, "a plan"))
            await slack.until_quiet()
    assert workspace.rows(TEXTS) == [("hello",), ("and who mends it?",)] * 3


async def test_a_follow_up_in_a_thread_that_the_question_opened(workspace: Workspace) -> None:
    slack = workspace.slack
    async with workspace.bot(AGENTS):
        thread = await joined(workspace)
        slack.say(HERE, BEN, "and then?", thread)
        await workspace.answered(HERE, 2)
    assert workspace.said(HERE, thread)[0] == "You said: hello"
    assert "and then?" in workspace.said(HERE, thread)[1]


async def test_mention_only_is_strict(workspace: Workspace) -> None:
    async with workspace.bot(f"{AGENTS}{bound('mention-only')}"):
        thread = await joined(workspace)
        assert await said_after(workspace, thread, "and then?") == ["hello", "the end"]


async def test_a_message_for_somebody_else_ends_it_until_the_agent_is_called(
    workspace: Workspace,
) -> None:
    slack = workspace.slack
    async with workspace.bot(AGENTS):
        for other in (
            "<@U0BEN> can you?",
            "fyi <@U0BEN>",
            "<!here> lunch",
            "<!subteam^S0DEV|@dev> look",
        ):
            thread = await joined(workspace)
            said = await said_after(workspace, thread, other, "I will", "thanks")
            assert said == ["hello", "the end"], other
            slack.say(HERE, BEN, "go on", thread)
            await slack.until(partial(is_heard, workspace, thread, "go on"))


def is_heard(workspace: Workspace, thread: str, text: str) -> bool:
    return text in heard(workspace, thread)


async def test_a_message_for_the_agent_and_somebody_else_is_for_the_agent(
    workspace: Workspace,
) -> None:
    slack = workspace.slack
    async with workspace.bot(AGENTS):
        thread = await joined(workspace)
        slack.say(HERE, ANNA, f"{slack.mention} tell <@{BEN}>", thread)
        await workspace.answered(HERE, 2)
        slack.say(HERE, ANNA, "and then?", thread)
        assert (await workspace.answered(HERE, 3))[2] == "You said: and then?"


async def test_who_was_asked_last_goes_on(workspace: Workspace) -> None:
    slack = workspace.slack
    async with workspace.bot(AGENTS):
        thread = await joined(workspace)
        for number, text in enumerate(
            ("one", f"{slack.mention} support: two", "three", "assistant: four", "five"), start=2
        ):
            slack.say(HERE, ANNA, text, thread)
            await workspace.answered(HERE, number)
    authors = [line.author for line in workspace.answers(HERE, thread)]
    assert authors == [
        "assistant",
        "assistant",
        "support",
        "support",
        "assistant",
        "assistant",
    ]


async def test_an_agent_that_is_bound_there_since_goes_on_instead(workspace: Workspace) -> None:
    slack = workspace.slack
    slack.backend.world.users[ANNA].is_admin = True
    async with workspace.bot(AGENTS):
        thread = await joined(workspace)
        slack.command("/agent", "use support mention", HERE, ANNA)
        await slack.until(lambda: workspace.whispers(HERE) != [])
        slack.say(HERE, ANNA, "and then?", thread)
        await workspace.answered(HERE, 2)
    assert [line.author for line in workspace.answers(HERE, thread)] == ["assistant", "support"]


async def test_it_leaves_a_thread_until_it_is_called_however_it_listens(
    workspace: Workspace,
) -> None:
    slack = workspace.slack
    told = "I answer in this thread only when somebody calls me again."
    agents = bound("mention") + bound("all", channel="C0SUPPORT")
    async with workspace.bot(f"{AGENTS}{agents}"):
        for channel, word in product((HERE, "C0SUPPORT"), ("leave", "Leave!")):
            before = len(workspace.whispers(channel))
            thread = await joined(workspace, channel)
            slack.say(channel, BEN, f"{slack.mention} {word}", thread)
            await slack.until(partial(has_whispered, workspace, before + 1, channel))
            said = await said_after(workspace, thread, "and then?", channel=channel)
            assert said == ["hello", "the end"], (channel, word)
            slack.say(channel, ANNA, "go on", thread)
            await slack.until(partial(is_heard, workspace, thread, "go on"))
            await slack.until_quiet()
            assert workspace.whispers(channel) == [told] * (before + 1), (channel, word)


async def test_an_app_commands_nothing(workspace: Workspace) -> None:
    slack = workspace.slack
    async with workspace.bot(f"{AGENTS}{bound('mention')}\nbots = true"):
        thread = await joined(workspace)
        slack.say_as_other_bot(HERE, f"{slack.mention} leave", thread)
        await workspace.answered(HERE, 2)
        assert "and then?" in await said_after(workspace, thread, "and then?")
    assert workspace.whispers(HERE) == []
    assert ("leave",) in workspace.rows(TEXTS)


async def test_an_app_that_is_not_heard_commands_nothing(workspace: Workspace) -> None:
    slack = workspace.slack
    async with workspace.bot(AGENTS):
        thread = await joined(workspace)
        slack.say_as_other_bot(HERE, f"{slack.mention} remember this", thread)
        slack.say_as_other_bot(HERE, f"{slack.mention} leave", thread)
        await slack.until_quiet()
        assert "and then?" in await said_after(workspace, thread, "and then?")
    assert workspace.rows("SELECT count(*) FROM fact") == [(0,)]


async def test_it_leaves_all_threads_of_a_channel(workspace: Workspace) -> None:
    slack = workspace.slack
    async with workspace.bot(AGENTS):
        thread = await joined(workspace)
        slack.command("/agent", "leave", HERE, ANNA)
        await slack.until(lambda: workspace.whispers(HERE) != [])
        assert await said_after(workspace, thread, "and then?") == ["hello", "the end"]


async def test_follow_ups_and_words_that_were_missed_are_judged_as_if_they_had_been_heard(
    workspace: Workspace,
) -> None:
    """What is read once more after a later call is still judged by what stood before it."""
    slack = workspace.slack
    async with workspace.bot(AGENTS):
        thread, other = await joined(workspace), slack.say(HERE, BEN, "a plan")
        slack.say(HERE, BEN, "nobody is asked yet", other)
        slack.say(HERE, BEN, f"{slack.mention} ours", other)
        await workspace.answered(HERE, 2)
        await slack.until_quiet()
        await slack.until(lambda: workspace.rows("SELECT 1 FROM cursor WHERE name = 'slack/T0001'"))
    slack.backend.deliveries.schedule = Schedule(deadline=0.05, retries=())
    slack.say(HERE, ANNA, "and then?", thread)
    slack.say(HERE, ANNA, f"{slack.mention} leave", thread)
    slack.say(HERE, ANNA, "among us", thread)
    slack.say(HERE, ANNA, f"{slack.mention} back", thread)
    slack.say(HERE, ANNA, "on", thread)
    await slack.until_quiet()
    texts = [("hello",), ("ours",), ("and then?",), ("back",), ("on",)]
    for _ in range(2):
        async with workspace.bot(AGENTS) as bot:
            await bot.caught_up()
            await slack.until(lambda: workspace.rows(TEXTS) == texts)
            await slack.until(lambda: workspace.rows(ANSWERED) == [(5,)])
            await slack.until_quiet()
        workspace.change("UPDATE cursor SET position = position - 1 WHERE name LIKE 'slack/%'")
    assert workspace.rows(TEXTS) == texts
    assert len(workspace.whispers(HERE)) == 1


async def test_who_may_not_ask_and_calls_nobody_is_told_nothing(workspace: Workspace) -> None:
    slack = workspace.slack
    agents = f'{AGENTS}[access]\ndeny = ["slack/{BEN}"]\n'
    async with workspace.bot(agents):
        thread = await joined(workspace)
        slack.say(HERE, BEN, "and then?", thread)
        assert await said_after(workspace, thread) == ["hello", "the end"]
    assert workspace.whispers(HERE) == []


async def test_in_a_joined_thread_the_database_is_asked_twice_and_elsewhere_once(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.messaging.bindings._FRESH_SECONDS", 600.0)
    slack = workspace.slack
    async with workspace.bot(AGENTS) as bot:
        await bot.caught_up()
        other = slack.say(HERE, BEN, "a plan")
        await slack.until_quiet()
        async with asked() as statements:
            slack.say(HERE, ANNA, "a good one", other)
            await slack.until_quiet()
    assert len([each for each in statements if "inbox.thread" in each]) == 1
    assert not [each for each in statements if "left/" in each]


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("leave", ("leave", "")),
        ("Stop.", ("stop", "")),
        ("help", ("help", "")),
        ("reset support", ("reset", "support")),
        ("use support mention channel", ("use", "support mention channel")),
        ("forget #7", ("forget", "#7")),
        ("why 12", ("why", "12")),
        ("why https://x.slack.com/archives/C1/p1700000000000100", None),
        ("remember the port closes at six", ("remember", "the port closes at six")),
    ],
)
def test_a_word_alone_or_with_just_what_it_takes_is_a_command(
    text: str, command: tuple[str, str] | None
) -> None:
    expected = command or ("why", text.removeprefix("why "))
    assert command_in(text, ["assistant", "support"]) == expected


@pytest.mark.parametrize(
    "text",
    [
        "help me with the report",
        "list the three biggest cities",
        "leave the second paragraph as it is",
        "why?",
        "why is the sky blue",
        "use a table instead",
        "use support if you must",
        "stop using emojis",
        "forget what I said",
        "forget it",
        "status of the crane?",
        "facts about cranes",
        "reset my password",
        "remember when we met?",
        "Remember that our deadline is March 15th",
        "remember this:\n1. one\n2. two",
        "remember",
        "use",
        "",
        "leave?",
    ],
)
def test_a_sentence_that_begins_with_such_a_word_is_a_question(text: str) -> None:
    assert command_in(text, ["assistant", "support"]) is None


async def test_words_in_a_thread_work_as_commands_and_once(workspace: Workspace) -> None:
    """`message` and `app_mention` of one post are one command, also when delivered again."""
    slack = workspace.slack
    async with workspace.bot(AGENTS):
        thread = await joined(workspace)
        for number, (word, told) in enumerate(
            {
                "status": "*assistant* (",
                "list": "• *assistant* (answers here)",
                "remember the port closes at six": "remembers as fact 1",
                "facts": "the port closes at six",
                "forget 1": "Forgotten: the port closes at six",
                "why": "Answer 1 by *assistant*",
                "stop": "Nothing is being written here.",
                "help": "`/agent ask TEXT`",
            }.items(),
            start=1,
        ):
            slack.say(HERE, ANNA, f"{slack.mention} {word}", thread)
            await slack.until(partial(has_whispered, workspace, number))
            await slack.until_quiet()
            assert told in workspace.whispers(HERE)[-1]
            assert len(workspace.whispers(HERE)) == number
    assert workspace.rows(TEXTS) == [("hello",)]
    assert {line.thread for line in slack.transcript(HERE) if line.kind == "ephemeral"} == {thread}


@pytest.fixture
def cut() -> Iterator[list[str]]:
    """The first two times that a command was done, what follows is cut off."""
    places: list[str] = []

    def arrive(place: str) -> None:
        if place == "command done, not noted":
            places.append(place)
            if len(places) < 3:
                raise Transient("cut off")

    kill_points.watch(arrive)
    yield places
    kill_points.watch(lambda _: None)


async def test_a_command_that_was_cut_off_is_done_when_it_comes_again_and_told_once(
    workspace: Workspace, cut: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    slack = workspace.slack
    async with workspace.bot(AGENTS):
        thread = await joined(workspace)
        slack.say(HERE, ANNA, f"{slack.mention} remember the port closes at six", thread)
        await slack.until(lambda: caplog.messages.count(UNSTORED) == 2)
        slack.sockets.lapse()
        await slack.until(lambda: has_whispered(workspace, 1))
        await slack.until_quiet()
    assert len(cut) == 3
    assert len(workspace.whispers(HERE)) == 1
    assert workspace.rows("SELECT text FROM fact") == [("the port closes at six",)]


async def test_the_same_words_beside_a_forwarded_message_or_outside_of_a_thread_are_a_question(
    workspace: Workspace,
) -> None:
    slack = workspace.slack
    async with workspace.bot(AGENTS):
        thread = slack.say(HERE, ANNA, f"{slack.mention} hello")
        await workspace.answered(HERE)
        slack.forward(HERE, ANNA, "why?", of="Cy", text=f"{slack.mention} help", thread=thread)
        await workspace.answered(HERE, 2)
        slack.say(HERE, ANNA, f"{slack.mention} list")
        assert (await workspace.answered(HERE, 3))[2] == "You said: list"
    assert workspace.rows("SELECT count(*) FROM inbox") == [(3,)]


async def test_a_channel_that_was_told_from_chat_to_be_listened_to_is_left_by_who_manages_it(
    workspace: Workspace,
) -> None:
    slack = workspace.slack
    slack.backend.world.users[ANNA].is_admin = True

    async def told(text: str, user: str = ANNA) -> str:
        before = len(workspace.whispers(HERE))
        slack.command("/agent", text, HERE, user)
        await slack.until(lambda: len(workspace.whispers(HERE)) > before)
        return workspace.whispers(HERE)[-1]

    async with workspace.bot(AGENTS):
        await told("use support channel")
        assert "Only " in await told("leave", BEN)
        assert "only when somebody calls me" in await told("leave")
        assert "*support*" in (status := await told("status"))
        assert "answers whoever mentions it here, one history for each channel" in status


async def test_what_the_file_lets_an_agent_hear_is_not_left_from_chat(workspace: Workspace) -> None:
    slack = workspace.slack
    async with workspace.bot(f"{AGENTS}{bound('all')}"):
        slack.command("/agent", "leave", HERE, ANNA)
        await slack.until(lambda: workspace.whispers(HERE) != [])
    assert workspace.whispers(HERE)[0].startswith("The agents file lets assistant answer every")


async def test_a_direct_message_is_not_left(workspace: Workspace) -> None:
    slack = workspace.slack
    place = slack.direct(ANNA)
    async with workspace.bot(AGENTS):
        root = slack.say(place, ANNA, "hello")
        slack.say(place, ANNA, "leave", root)
        await slack.until(lambda: workspace.rows(ANSWERED) == [(2,)])
        slack.say(place, ANNA, f"<@{BEN}> is nice", root)
        await slack.until(lambda: workspace.rows(ANSWERED) == [(3,)])


async def test_a_history_is_begun_anew_once_also_when_the_word_is_read_again(
    workspace: Workspace,
) -> None:
    slack = workspace.slack
    slack.backend.world.users[ANNA].is_admin = True
    begun = "SELECT count(*) FROM summary WHERE kind = 'reset'"
    async with workspace.bot(AGENTS):
        thread = await joined(workspace)
        slack.say(HERE, ANNA, f"{slack.mention} reset", thread)
        await slack.until(lambda: has_whispered(workspace, 1))
        await slack.until_quiet()
        await slack.until(lambda: workspace.rows("SELECT 1 FROM cursor WHERE name = 'slack/T0001'"))
    assert workspace.rows(begun) == [(1,)]
    async with workspace.bot(AGENTS) as bot:
        await bot.caught_up()
    assert workspace.rows(begun) == [(1,)]
    assert len(workspace.whispers(HERE)) == 1
