"""Below a thread people see that it is being worked on, for as long as nothing is written yet."""

from __future__ import annotations

import pytest

from bots.slack.adapter import SlackAdapter
from tests.bots.slack.bots import Workspace
from tests.peers.endpoint import Stall

HERE, ANNA = "C0GENERAL", "U0ANNA"


def statuses(workspace: Workspace) -> list[str]:
    """What stands below threads now."""
    lines = workspace.slack.transcript(HERE)
    return [line.text for line in lines if line.kind == "status"]


async def test_it_is_shown_for_as_long_as_it_takes(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SlackAdapter, "working_seconds", 0.1)
    monkeypatch.setattr("core.turn.stops._LOOK_SECONDS", 0.05)
    slack = workspace.slack
    workspace.endpoint.script(Stall())
    async with workspace.bot("[agents.assistant]\n"):
        thread = slack.say(HERE, ANNA, f"{slack.mention} hello")
        for _ in range(3):
            await slack.until(lambda: statuses(workspace) == ["is thinking…"])
            slack.advance(150)  # Slack shows it for two minutes
        assert [line for line in slack.transcript(HERE, thread) if line.is_bot] == []
        slack.say(HERE, ANNA, f"{slack.mention} stop", thread)
        await slack.until(lambda: not statuses(workspace) and workspace.said(HERE))
    assert workspace.said(HERE) == ["(stopped)"]
