"""`/agent`, the commands of the agents file and the message shortcut."""

from __future__ import annotations

from storage.models import OutboxMessage, OutboxState
from tests.bots.slack.bots import Workspace
from tests.peers.endpoint import Reply, Stall
from tests.peers.slack.world import Kind

AGENTS = """
[agents.assistant]
[agents.support]
[[commands]]
name = "/support"
agent = "support"
"""
HERE, ANNA, BEN = "C0GENERAL", "U0ANNA", "U0BEN"
ASKED = "> anna asked: "  # what a command asks, nobody else has seen


async def told(workspace: Workspace, text: str, user: str = ANNA, channel: str = HERE) -> str:
    """What `/agent` answers, to this person alone."""
    slack = workspace.slack
    before = len(workspace.whispers(channel))
    slack.command("/agent", text, channel, user)
    await slack.until(lambda: len(workspace.whispers(channel)) > before)
    return workspace.whispers(channel)[-1]


async def test_a_question_by_command_is_answered_where_everybody_sees_it(
    workspace: Workspace,
) -> None:
    async with workspace.bot(AGENTS):
        assert await told(workspace, "ask what is new?") == "Asking *assistant* …"
        assert await workspace.answered(HERE) == [f"{ASKED}what is new?\n\nYou said: what is new?"]
    [line] = workspace.answers(HERE)
    assert (line.kind, line.thread) == ("message", "")
    [(key,)] = workspace.rows("SELECT key FROM inbox")
    assert str(key).startswith("slack/T0001/cmd/")


async def test_a_question_by_command_stands_above_its_answer_while_that_grows(
    workspace: Workspace,
) -> None:
    workspace.endpoint.script(Stall(after=1, text="One word after the other."))
    async with workspace.bot(AGENTS, drain_seconds=0):
        await told(workspace, f"ask what\nis {'new' * 300}?")
        growing = f"{ASKED}what is {'new' * 197}…\n\nOne"
        slack = workspace.slack
        await slack.until(lambda: any(growing in line.text for line in slack.transcript(HERE)))


async def test_a_question_by_command_may_name_the_agent_and_a_command_of_the_file_is_one_of_its(
    workspace: Workspace,
) -> None:
    async with workspace.bot(AGENTS):
        assert await told(workspace, "ask support: what is new?") == "Asking *support* …"
        assert (await workspace.answered(HERE))[0].startswith(f"{ASKED}what is new?\n\nYou said")
        workspace.slack.command("/support", "assistant: it is broken", HERE, ANNA)
        newest = (await workspace.answered(HERE, 2))[1]
        assert newest.startswith(f"{ASKED}assistant: it is broken\n\n")
    assert [line.author for line in workspace.answers(HERE)] == ["support"] * 2
    assert workspace.whispers(HERE) == ["Asking *support* …"] * 2


async def test_where_it_cannot_answer_it_is_invited_or_has_the_scope_to_speak_uninvited(
    workspace: Workspace,
) -> None:
    """The scope is for public channels only."""
    workspace.slack.add_channel("C0SECRET", kind="group", bot=False)
    workspace.slack.add_channel("C0OTHER", bot=False)
    async with workspace.bot(AGENTS):
        for channel in ("C0SECRET", "C0OTHER"):
            assert "Invite me" in await told(workspace, "ask what is new?", channel=channel)
        assert workspace.rows("SELECT key FROM inbox") == []
        workspace.slack.invite_bot("C0SECRET")
        assert "Asking" in await told(workspace, "ask what is new?", channel="C0SECRET")
        await workspace.answered("C0SECRET")
        token = workspace.slack.backend.world.tokens[workspace.slack.bot_token]
        token.scopes.add("chat:write.public")
        assert "Asking" in await told(workspace, "ask what is new?", channel="C0OTHER")
        await workspace.answered("C0OTHER")


async def test_an_answer_by_command_that_takes_long_arrives_after_a_restart(
    workspace: Workspace,
) -> None:
    workspace.endpoint.script(Reply(text="Never finished." * 50, size=1, pause=0.5))
    async with workspace.bot(AGENTS, drain_seconds=0) as bot:
        await told(workspace, "ask what is new?")
        await workspace.endpoint.arrived()
        bot.stop.set()
    async with workspace.bot(AGENTS):
        assert await workspace.answered(HERE) == [f"{ASKED}what is new?\n\nYou said: what is new?"]


async def test_questions_without_words_are_explained(workspace: Workspace) -> None:
    async with workspace.bot(AGENTS):
        assert await told(workspace, "ask ") == "Say what to ask: /agent ask TEXT."
        workspace.slack.command("/support", "", HERE, ANNA)
        await workspace.slack.until_quiet()
    assert workspace.whispers(HERE)[-1] == "Say what to ask: /support TEXT."


async def test_whoever_made_the_channel_may_let_another_agent_answer(
    workspace: Workspace,
) -> None:
    async with workspace.bot(AGENTS):
        assert "*support* answers every message here" in await told(workspace, "use support")
        workspace.slack.say(HERE, BEN, "hello")
        await workspace.answered(HERE)
        assert "(answers here)" in await told(workspace, "list")
        assert "*support* answers here from now on, when" in await told(
            workspace, "use support channel mention"
        )
        assert "answers whoever mentions it here, one history for each channel" in await told(
            workspace, "status"
        )
    assert workspace.answers(HERE)[0].author == "support"


async def test_others_may_not_bind_or_reset_but_in_direct_messages_and_administrators_may(
    workspace: Workspace,
) -> None:
    place = workspace.slack.direct(BEN)
    async with workspace.bot(AGENTS):
        assert "Please ask one of them" in await told(workspace, "use support", BEN)
        assert "Please ask one of them" in await told(workspace, "reset", BEN)
        assert workspace.rows("SELECT * FROM binding") == []
        assert "from now on" in await told(workspace, "use support", BEN, place)
        workspace.slack.backend.world.users[BEN].is_admin = True
        assert "from now on" in await told(workspace, "use support", BEN)


async def test_when_slack_does_not_tell_nobody_may(workspace: Workspace) -> None:
    workspace.slack.fault("users.info", "error", error="user_not_found")
    async with workspace.bot(AGENTS):
        assert "Slack did not tell me" in await told(workspace, "use support")
    assert workspace.rows("SELECT * FROM binding") == []


async def test_mistakes_say_what_to_do(workspace: Workspace) -> None:
    async with workspace.bot(AGENTS):
        assert "no agent 'suport'; did you mean 'support'?" in await told(workspace, "use suport")
        assert "Say which agent" in await told(workspace, "use")
        assert "knows no fact 7 here" in await told(workspace, "forget 7")
        assert "Say the number" in await told(workspace, "forget everything")
        assert "Say what to remember" in await told(workspace, "remember")
        assert "There is no command" in await told(workspace, "dance")
        assert "/agent ask TEXT" in await told(workspace, "help")


async def test_facts_are_remembered_listed_and_forgotten(workspace: Workspace) -> None:
    async with workspace.bot(AGENTS):
        assert "remembers nothing" in await told(workspace, "facts")
        assert "as fact 1: Ben owns <it>" in await told(workspace, "remember Ben owns &lt;it&gt;")
        assert "1. Ben owns <it> _(anna," in await told(workspace, "facts", BEN)
        assert "remembers nothing" in await told(workspace, "facts", BEN, "C0SUPPORT")
        assert await told(workspace, "forget 1") == "Forgotten: Ben owns <it>"
        assert "remembers nothing" in await told(workspace, "facts")


async def test_after_a_reset_the_model_is_not_shown_what_was_said(workspace: Workspace) -> None:
    slack = workspace.slack
    async with workspace.bot(AGENTS):
        assert await told(workspace, "reset") == "Nothing was said here yet."
        thread = slack.say(HERE, ANNA, f"{slack.mention} one")
        await workspace.answered(HERE)
        await slack.until(lambda: workspace.rows("SELECT 1 FROM message"))
        assert "begins anew" in await told(workspace, "reset")
        slack.say(HERE, ANNA, f"{slack.mention} two", thread)
        await workspace.answered(HERE, 2)
    spoken = [m for m in workspace.endpoint.requests[-1]["messages"] if m["role"] == "user"]
    assert [message["content"] for message in spoken] == ["two"]


async def test_stop_stops_what_is_being_written_here(workspace: Workspace) -> None:
    slack = workspace.slack
    async with workspace.bot(AGENTS):
        assert await told(workspace, "stop") == "Nothing is being written here."
        workspace.endpoint.script(Reply(text="on and on " * 2_000, size=5, pause=0.05))
        slack.say(HERE, ANNA, f"{slack.mention} tell me everything")
        await slack.until(lambda: any(line.buttons for line in slack.transcript(HERE)))
        assert await told(workspace, "stop", BEN) == "Stopped."
        await workspace.endpoint.idle()
        await slack.until(lambda: workspace.rows("SELECT 1 FROM turn WHERE state = 'stopped'"))


async def test_why_says_what_is_behind_an_answer(workspace: Workspace) -> None:
    slack = workspace.slack
    async with workspace.bot(AGENTS):
        assert await told(workspace, "why") == "I know of no such answer here."
        slack.say(HERE, ANNA, f"{slack.mention} one")
        await workspace.answered(HERE)
        newest = await told(workspace, "why")
        assert "Answer 1 by *assistant*" in newest
        assert "Models: gpt-6-luna" in newest
        ts = workspace.answers(HERE)[0].ts
        link = f"https://harbour.slack.com/archives/{HERE}/p{ts.replace('.', '')}"
        assert await told(workspace, f"why {link}?thread_ts=1.2&amp;cid={HERE}") == newest
        assert await told(workspace, "why 1") == newest
        assert "Failed deliveries" not in newest
        await OutboxMessage.all().update(failures=7, state=OutboxState.DEAD)
        assert "Failed deliveries: 7, messages given up: 1." in await told(workspace, "why")
        assert "no such answer" in await told(workspace, "why 1", ANNA, "C0SUPPORT")
        assert "Say which answer" in await told(workspace, "why not")


async def test_the_shortcut_asks_about_a_message_in_its_thread(workspace: Workspace) -> None:
    slack = workspace.slack
    async with workspace.bot(AGENTS):
        ts = slack.say(HERE, BEN, "the printer is on fire")
        slack.use_shortcut(HERE, ts, "ask_agent", ANNA)
        [answer] = await workspace.answered(HERE)
    assert "the printer is on fire" in answer
    assert workspace.said(HERE, ts) == [answer]


async def refused(workspace: Workspace, channel: str) -> str:
    """What Anna is told who uses the shortcut there; nobody else hears of it."""
    slack = workspace.slack
    ts = slack.say(channel, BEN, "the salaries are 9999")
    slack.use_shortcut(channel, ts, "ask_agent", ANNA)
    await slack.until(lambda: workspace.whispers(channel))
    assert workspace.rows("SELECT count(*) FROM conversation") == [(0,)]
    assert workspace.endpoint.requests == []
    [line] = [line for line in slack.transcript(channel) if line.kind == "ephemeral"]
    assert line.for_user == ANNA
    return line.text


async def test_the_shortcut_where_the_bot_is_not_says_so_and_keeps_nothing(
    workspace: Workspace,
) -> None:
    kinds: tuple[Kind, ...] = ("channel", "group", "mpim")
    for kind in kinds:
        workspace.slack.add_channel(f"C0SECRET{kind.upper()}", kind=kind, bot=False)
    async with workspace.bot(AGENTS):
        for kind in kinds:
            assert "Invite me" in await refused(workspace, f"C0SECRET{kind.upper()}"), kind


async def test_the_shortcut_where_slack_does_not_tell_keeps_nothing(workspace: Workspace) -> None:
    workspace.slack.fault("conversations.info", "error", error="invalid_auth")
    async with workspace.bot(AGENTS):
        assert "did not tell me whether I am in this channel" in await refused(workspace, HERE)


async def test_another_shortcut_is_not_ours(workspace: Workspace) -> None:
    slack = workspace.slack
    async with workspace.bot(AGENTS):
        ts = slack.say(HERE, BEN, "hello")
        slack.use_shortcut(HERE, ts, "something_else", ANNA)
        await slack.until_quiet()
    assert workspace.rows("SELECT count(*) FROM inbox") == [(0,)]
