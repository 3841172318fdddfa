"""`moorings run` as a process: starts Slack, or says in one line why it cannot."""

from __future__ import annotations

import asyncio
import signal

import pytest

from tests.bots.program import Program, with_key
from tests.bots.slack.bots import Workspace
from tests.patience import PATIENCE


@pytest.fixture
def bot(program: Program, workspace: Workspace) -> Program:
    """The program with the peer's tokens."""
    slack = workspace.slack
    program.set(
        **with_key(workspace.endpoint.base_url),
        SLACK_BOT_TOKEN=slack.bot_token,
        SLACK_APP_TOKEN=slack.app_token,
        SLACK_API_URL=slack.api_url,
    )
    return program


async def test_it_answers_and_stops_on_sigterm(bot: Program, workspace: Workspace) -> None:
    process = await bot.start("run")
    try:
        await workspace.slack.until_connected(2)
        workspace.slack.say("C0GENERAL", "U0ANNA", f"{workspace.slack.mention} hello")
        assert await workspace.answered("C0GENERAL") == ["You said: hello"]
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(PATIENCE):
            _, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode == 0
    assert b"Traceback" not in err
    assert b"xoxb-" not in err


async def test_a_revoked_token_is_one_clear_line(bot: Program, workspace: Workspace) -> None:
    workspace.slack.spoil_token(workspace.slack.bot_token, "token_revoked")
    ended = await bot.run("run")
    assert ended.code == 1
    last = ended.err.splitlines()[-1]
    assert last.startswith("moorings: SLACK_BOT_TOKEN has been revoked: reinstall the app")


async def test_without_a_way_in_it_says_which_variable_is_missing(bot: Program) -> None:
    bot.set(SLACK_APP_TOKEN="")
    ended = await bot.run("run")
    assert ended.code == 1
    assert "set SLACK_APP_TOKEN for Socket Mode, or SLACK_SIGNING_SECRET" in ended.err


async def test_without_any_token_it_says_what_to_set(program: Program) -> None:
    ended = await program.run("run")
    assert ended.code == 1
    assert "There is no platform to serve: set SLACK_BOT_TOKEN" in ended.err
