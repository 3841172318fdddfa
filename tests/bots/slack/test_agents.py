"""On Slack the agents file says who there is, as it is now."""

from __future__ import annotations

import json

import pytest

from core.config.spec import AgentSpec
from core.runtime import Runtime
from tests.bots.slack.bots import Workspace
from tests.bots.slack.test_commands import told
from tests.peers.endpoint import Stall

HERE, ANNA, DIRECT = "C0GENERAL", "U0ANNA", "D0ANNA"


@pytest.fixture(autouse=True)
def _direct(workspace: Workspace) -> None:
    """Anna has written to the bot before."""
    assert workspace.slack.direct(ANNA) == DIRECT


BOTH = "[agents.assistant]\n[agents.support]\n"
ONE = "[agents.assistant]\n"


async def test_an_agent_made_from_python_is_not_asked(workspace: Workspace) -> None:
    slack, spec = workspace.slack, AgentSpec(name="Planner", instructions="Plan.")
    program = await Runtime.open(workspace.settings(ONE))
    await program.directory.register(spec)
    await program.close()
    async with workspace.bot(ONE):
        slack.say(DIRECT, ANNA, "Planner: hello")
        assert await workspace.answered(DIRECT) == ["You said: Planner: hello"]
        assert "There is no agent 'Planner'" in await told(workspace, "use Planner")
        assert "Planner" not in await told(workspace, "list")


async def test_a_retired_agent_answers_nowhere(workspace: Workspace) -> None:
    slack = workspace.slack
    async with workspace.bot(BOTH):
        await told(workspace, "use support")
        slack.say(HERE, ANNA, "who is here?")
        await workspace.answered(HERE)
        assert workspace.answers(HERE)[0].author == "support"
    async with workspace.bot(ONE):
        slack.say(HERE, ANNA, "to nobody")
        slack.say(HERE, ANNA, f"{slack.mention} support: hello")
        await workspace.answered(HERE, 2)
        assert "There is no agent 'support'" in await told(workspace, "facts support")
    assert workspace.said(HERE)[1].endswith("support: hello")
    assert workspace.answers(HERE)[1].author == "assistant"


async def test_what_waits_for_a_retired_agent_is_told_so(workspace: Workspace) -> None:
    slack = workspace.slack
    workspace.endpoint.script(Stall())
    async with workspace.bot(BOTH, drain_seconds=0):
        slack.say(DIRECT, ANNA, "support: hello")
        await slack.until(lambda: len(workspace.endpoint.requests) == 1)
    async with workspace.bot(ONE):
        await slack.until(lambda: "retired" in "".join(workspace.said(DIRECT)))
    assert len(workspace.endpoint.requests) == 1


async def test_a_reload_changes_who_there_is_and_what_they_are_told(workspace: Workspace) -> None:
    prompt = workspace.folder / "prompt.md"
    prompt.write_text("Be short.")
    named = '[agents.assistant]\ninstructions_file = "prompt.md"\n'
    slack = workspace.slack
    async with workspace.bot(named) as bot:
        slack.say(DIRECT, ANNA, "one")
        await workspace.answered(DIRECT, 1)
        prompt.write_text("Be long.")
        workspace.settings(f"{named}[agents.support]\n")
        await bot.runtime.reload()
        slack.say(DIRECT, ANNA, "two")
        await workspace.answered(DIRECT, 2)
        slack.say(DIRECT, ANNA, "support: three")
        await workspace.answered(DIRECT, 3)
    assert [line.author for line in workspace.answers(DIRECT)] == ["assistant"] * 2 + ["support"]
    prompts = [json.dumps(request) for request in workspace.endpoint.requests]
    assert "Be short." in prompts[0]
    assert "Be long." in prompts[1]
