"""Who may ask on Slack: by message, command, shortcut and button alike."""

from __future__ import annotations

import pytest

from bots.slack.blocks import STOP
from bots.slack.platform import SlackPlatform
from bots.slack.workspaces import Workspaces
from core.address import Address
from core.messaging.installations import Installations
from core.messaging.messages import Author
from core.runtime import Runtime
from tests.bots.slack.bots import Workspace, granted
from tests.bots.slack.test_commands import told
from tests.bots.slack.test_tenants import HARBOUR, IN_QUAY, QUAY
from tests.peers.endpoint import Reply
from tests.peers.slack.transcript import Line

HERE, ANNA, BEN = "C0GENERAL", "U0ANNA", "U0BEN"
NOT_BEN = '[agents.assistant]\n[access]\ndeny = ["slack/U0BEN"]\n'
ONE_HISTORY = """
[[bindings]]
at = "slack/T0001/C0GENERAL"
agent = "assistant"
listen = "all"
conversation = "channel"
"""
STORED = "SELECT count(*) FROM inbox"


def growing(workspace: Workspace) -> list[Line]:
    """The answers that can be stopped."""
    return [line for line in workspace.slack.transcript(HERE) if "Stop" in line.buttons]


async def test_who_may_not_ask_is_told_once_and_nothing_of_it_is_stored(
    workspace: Workspace,
) -> None:
    slack = workspace.slack
    async with workspace.bot(NOT_BEN):
        for _ in range(3):
            slack.say(HERE, BEN, f"{slack.mention} hello")
        slack.say(HERE, BEN, "to nobody")
        slack.say(HERE, ANNA, f"{slack.mention} hello")
        assert await workspace.answered(HERE) == ["You said: hello"]
        await slack.until(lambda: workspace.whispers(HERE))
        await slack.until_quiet()
    assert workspace.whispers(HERE) == [
        "You may not ask assistant here. Please ask whoever runs me to let you."
    ]
    assert workspace.rows(STORED) == [(1,)]
    assert workspace.rows("SELECT author_id FROM inbox") == [(ANNA,)]


async def test_who_may_not_ask_is_told_in_a_direct_message_by_a_message(
    workspace: Workspace,
) -> None:
    slack = workspace.slack
    place = slack.direct(BEN)
    async with workspace.bot(NOT_BEN):
        slack.say(place, BEN, "hello")
        await slack.until(lambda: len(slack.transcript(place)) == 2)
    assert slack.transcript(place)[1].text.startswith("You may not ask assistant here.")


async def test_a_process_that_only_answers_looks_at_who_may_ask(workspace: Workspace) -> None:
    """It shows agents what was said before: not what those people said."""
    runtime = await Runtime.open(workspace.settings(NOT_BEN))
    platform = await SlackPlatform.open(runtime)
    here = Address.parse(f"slack/{HARBOUR}/{HERE}")
    assert not await runtime.gate.lets(Author(id=BEN, name="ben"), here, "assistant")
    await platform.close()
    await runtime.close()


async def test_who_may_not_ask_may_command_nothing(workspace: Workspace) -> None:
    verbs = ("ask hello", "use assistant", "facts", "remember it rains", "reset", "stop", "why")
    async with workspace.bot(NOT_BEN):
        for command in (*verbs, *verbs):
            assert "You may not ask" in await told(workspace, command, BEN), command
    assert workspace.rows(STORED) == [(0,)]
    assert workspace.rows("SELECT count(*) FROM fact") == [(0,)]


async def test_who_may_not_ask_uses_neither_shortcut_nor_button(workspace: Workspace) -> None:
    slack = workspace.slack
    workspace.endpoint.script(Reply(text="on and on " * 2_000, size=5, pause=0.05))
    async with workspace.bot(f"{NOT_BEN}{ONE_HISTORY}"):
        asked = slack.say(HERE, ANNA, "hello")
        await slack.until(lambda: growing(workspace))
        [line] = growing(workspace)
        slack.click(HERE, line.ts, STOP, BEN)
        await slack.until(lambda: workspace.whispers(HERE))
        slack.use_shortcut(HERE, asked, "ask_agent", BEN)
        await slack.until_quiet()
        assert workspace.rows("SELECT stop_asked_at FROM turn") == [(None,)]
        slack.click(HERE, line.ts, STOP, ANNA)
        await slack.until(lambda: workspace.rows("SELECT 1 FROM turn WHERE state = 'stopped'"))
    assert workspace.rows(STORED) == [(1,)]


async def test_a_forwarded_message_of_somebody_who_may_not_ask_is_not_shown(
    workspace: Workspace,
) -> None:
    slack = workspace.slack
    file = {"id": "F0BENS", "name": "bens.txt", "mimetype": "text/plain"}
    inner = {"is_share": True, "author_id": BEN, "author_name": "ben", "text": "in it"}
    place = slack.direct(ANNA)
    async with workspace.bot(NOT_BEN):
        slack.forward(place, ANNA, "my words", of="ben", author_id=BEN, files=[file])
        await workspace.answered(place)
        slack.forward(place, ANNA, "fine", of="cy", author_id="U0CY", attachments=[inner])
        await workspace.answered(place, 2)
        thread = slack.forward(HERE, ANNA, "my words", of="ben", author_id=BEN, files=[file])
        slack.say(HERE, ANNA, f"{slack.mention} well?", thread)
        await workspace.answered(HERE)
    shown = str(workspace.endpoint.requests)
    assert "my words" not in shown
    assert "in it" not in shown
    assert "bens.txt" not in shown
    unheard = "[forwarded message of somebody who may not ask you]"
    assert workspace.rows("SELECT text, attachments FROM inbox ORDER BY id") == [
        (unheard, "[]"),
        (f"[forwarded message of cy; quoted, not asked of you:]\n> fine\n> {unheard}", "[]"),
        ("well?", "[]"),
    ]


async def test_an_edit_shows_nothing_of_a_forwarded_message_either(workspace: Workspace) -> None:
    slack = workspace.slack
    agents = """
    [agents.assistant]
    [agents.support]
    [agents.support.access]
    deny = ["slack/U0BEN"]
    """
    workspace.endpoint.script(Reply(text="on and on " * 2_000, size=5, pause=0.05))
    async with workspace.bot(agents, drain_seconds=0):
        place = slack.direct(ANNA)
        slack.say(place, ANNA, "support: hello")
        await slack.until(lambda: workspace.endpoint.requests)
        asked = slack.forward(place, ANNA, "my words", of="ben", author_id=BEN, text="support: and")
        slack.forward(place, ANNA, "my words", of="ben", author_id=BEN, text="assistant: and")
        await slack.until_quiet()
        slack.edit(place, asked, "support: so what?")
        await slack.until_quiet()
    unheard = "[forwarded message of somebody who may not ask you]"
    assert workspace.rows("SELECT text FROM inbox ORDER BY id") == [
        ("hello",),
        (f"so what?\n{unheard}",),
        ("and\n[forwarded message of ben; quoted, not asked of you:]\n> my words",),
    ]


async def test_the_shortcut_shows_no_message_of_somebody_who_may_not_ask(
    workspace: Workspace,
) -> None:
    slack = workspace.slack
    rules = '[agents.assistant]\n[access]\nallow = ["slack/U0ANNA"]\n'
    async with workspace.bot(rules):
        bens = slack.say(HERE, BEN, "my words")
        slack.use_shortcut(HERE, bens, "ask_agent", ANNA)
        await slack.until(lambda: workspace.whispers(HERE))
        slack.say(HERE, ANNA, f"{slack.mention} hello")
        await workspace.answered(HERE)
        [answer] = workspace.answers(HERE)
        slack.use_shortcut(HERE, answer.ts, "ask_agent", ANNA)
        await workspace.answered(HERE, 2)
    assert workspace.whispers(HERE) == [
        "I did nothing: who wrote this may not ask assistant, so it is not shown what they say."
    ]
    assert "my words" not in str(workspace.endpoint.requests)
    assert "> You said: hello" in str(workspace.rows("SELECT text FROM inbox"))


@pytest.mark.usefixtures("grows_at_once")
async def test_slacks_own_stop_button_is_for_those_who_may_ask(workspace: Workspace) -> None:
    slack = workspace.slack
    thread = slack.say(HERE, ANNA, "what do you think?")
    workspace.endpoint.script(Reply(text="on and on " * 2_000, size=5, pause=0.05))
    async with workspace.bot(NOT_BEN):
        slack.say(HERE, ANNA, f"{slack.mention} hello", thread)
        await slack.until(lambda: slack.calls("chat.appendStream"))
        slack.press_stop(HERE, thread, BEN)
        await slack.until(lambda: workspace.whispers(HERE))
        assert workspace.rows("SELECT stop_asked_at FROM turn") == [(None,)]
        slack.press_stop(HERE, thread, ANNA)
        await slack.until(lambda: workspace.rows("SELECT 1 FROM turn WHERE state = 'stopped'"))


async def test_who_may_ask_one_agent_hears_nothing_of_another_one(workspace: Workspace) -> None:
    slack = workspace.slack
    only_anna = (
        '[agents.assistant]\n[agents.payroll]\n[agents.payroll.access]\nallow = ["slack/U0ANNA"]\n'
    )
    async with workspace.bot(only_anna):
        slack.say(HERE, ANNA, f"{slack.mention} payroll: hello")
        await workspace.answered(HERE)
        assert "You may not ask payroll" in await told(workspace, "why", BEN)
        assert "payroll" in await told(workspace, "why", ANNA)
        assert "payroll" not in await told(workspace, "list", BEN)
        assert "payroll" in await told(workspace, "list", ANNA)


async def test_who_may_not_ask_sees_neither_who_answers_where_nor_what_to_ask(
    workspace: Workspace,
) -> None:
    slack = workspace.slack
    prompts = '[agents.assistant]\nsuggested_prompts = ["What is due?"]\n'
    async with workspace.bot(NOT_BEN.replace("[agents.assistant]\n", prompts)):
        for user in (BEN, ANNA):
            slack.open_home(user, "messages")
            slack.open_home(user)
            await slack.until(lambda user=user: slack.home(user))  # type: ignore[misc]  # bound now
        await slack.until(lambda: slack.calls("assistant.threads.setSuggestedPrompts"))
        await slack.until_quiet()
    assert slack.home(BEN) == "You may not ask me here. Please ask whoever runs me to let you."
    assert "*assistant* answers" in slack.home(ANNA)
    greeted = [slack.thread_state(slack.direct(user)).get("prompts") for user in (BEN, ANNA)]
    assert [bool(each) for each in greeted] == [False, True]


async def test_a_user_group_lets_in_and_is_asked_for_once(workspace: Workspace) -> None:
    slack = workspace.slack
    slack.set_group("S0DEV", ANNA)
    rules = '[agents.assistant.access]\nallow = ["slack/group/S0DEV"]\n'
    async with workspace.bot(rules):
        for _ in range(2):
            slack.say(HERE, ANNA, f"{slack.mention} hello")
        slack.say(HERE, BEN, f"{slack.mention} hello")
        await workspace.answered(HERE, 2)
        await slack.until(lambda: workspace.whispers(HERE))
    assert workspace.rows("SELECT author_id FROM inbox") == [(ANNA,), (ANNA,)]
    assert len(slack.calls("usergroups.users.list")) == 1


async def test_a_group_of_which_slack_does_not_tell_lets_nobody_in(
    workspace: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    slack = workspace.slack
    slack.set_group("S0DEV", ANNA)
    slack.remove_scope("usergroups:read")
    async with workspace.bot('[agents.assistant.access]\nallow = ["slack/group/S0DEV"]\n'):
        assert "could not find out" in await told(workspace, "ask hello")
    why = [str(vars(record).get("why")) for record in caplog.records]
    assert any("lacks the scope usergroups:read" in each for each in why)


async def test_messages_commands_and_shortcuts_are_counted_together(workspace: Workspace) -> None:
    slack = workspace.slack
    async with workspace.bot('[agents.assistant]\n[access]\nper_person = "3/hour"\n'):
        asked = slack.say(HERE, ANNA, f"{slack.mention} one")
        await workspace.answered(HERE, 1)
        await told(workspace, "ask two")
        await workspace.answered(HERE, 2)
        slack.use_shortcut(HERE, asked, "ask_agent", ANNA)
        await workspace.answered(HERE, 3)
        said = await told(workspace, "ask four")
        slack.say(HERE, ANNA, f"{slack.mention} five")
        await slack.until_quiet()
        assert "Nobody" not in await told(workspace, "ask six", BEN)
    assert said.startswith("You have asked 3 times within an hour, and that is the most.")
    assert workspace.rows(STORED) == [(4,)]


async def test_an_administrator_of_the_file_may_bind(workspace: Workspace) -> None:
    rules = '[agents.assistant]\n[agents.support]\n[access]\nadmins = ["slack/U0BEN"]\n'
    async with workspace.bot(rules):
        assert "answers every message here" in await told(workspace, "use support", BEN)


async def test_a_reload_changes_who_may_ask(workspace: Workspace) -> None:
    async with workspace.bot(NOT_BEN) as bot:
        assert "You may not ask" in await told(workspace, "status", BEN)
        workspace.settings("[agents.assistant]\n")
        await bot.runtime.reload()
        assert "You may not ask" not in await told(workspace, "status", BEN)


@pytest.fixture
async def quay(workspace: Workspace) -> str:
    """A second workspace has installed the bot; the address of its bot user."""
    slack = workspace.slack
    slack.add_team(QUAY, "Quay")
    slack.add_user("U0CAT", "cat", team=QUAY)
    slack.add_channel(IN_QUAY, "quay", team=QUAY)
    runtime = await Runtime.open(workspace.settings())
    await Workspaces(Installations("slack", runtime.clock)).store(granted(slack, QUAY, runtime))
    await runtime.close()
    return f"<@{slack.backend.world.teams[QUAY].bot_user}>"


async def test_of_several_workspaces_only_those_that_are_listed_are_served(
    workspace: Workspace, quay: str, caplog: pytest.LogCaptureFixture
) -> None:
    slack = workspace.slack
    async with workspace.bot(f'[access]\nworkspaces = ["{HARBOUR}"]\n'):
        for _ in range(2):
            slack.say(IN_QUAY, "U0CAT", f"{quay} hello")
        slack.say(HERE, ANNA, f"{slack.mention} hello")
        assert await workspace.answered(HERE) == ["You said: hello"]
        await slack.until(lambda: workspace.whispers(IN_QUAY))
        await slack.until_quiet()
    assert workspace.whispers(IN_QUAY) == [
        "I do not answer here yet. Please ask whoever runs me to let me."
    ]
    assert workspace.rows("SELECT author_id FROM inbox") == [(ANNA,)]
    refused = [vars(each) for each in caplog.records if each.msg == "workspace not served"]
    assert [(each["workspace"], each["called"]) for each in refused] == [(QUAY, "Quay")]


@pytest.mark.parametrize(("agents", "answers"), [("", 0), ('[access]\nworkspaces = ["*"]\n', 1)])
async def test_of_several_workspaces_none_is_served_unless_it_is_said(
    workspace: Workspace, quay: str, agents: str, answers: int
) -> None:
    slack = workspace.slack
    async with workspace.bot(agents):
        slack.say(IN_QUAY, "U0CAT", f"{quay} hello")
        slack.say(HERE, ANNA, f"{slack.mention} hello")
        for place in (IN_QUAY, HERE):
            await slack.until(
                lambda place=place: workspace.answers(place) or workspace.whispers(place)  # type: ignore[misc]  # bound now
            )
        assert [len(workspace.answers(place)) for place in (IN_QUAY, HERE)] == [answers] * 2
