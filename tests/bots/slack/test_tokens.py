"""A token that is no good is one clear sentence before the bot starts."""

from __future__ import annotations

import pytest

from bots.slack import tokens
from core.errors import ConfigMistake, Transient
from tests.bots.slack.bots import Workspace


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        ("invalid_auth", "Slack does not know SLACK_BOT_TOKEN: copy it anew from OAuth"),
        ("token_revoked", "SLACK_BOT_TOKEN has been revoked: reinstall the app"),
        ("account_inactive", "SLACK_BOT_TOKEN belongs to an app that was uninstalled or disabled"),
        ("not_allowed_token_type", "SLACK_BOT_TOKEN is of the wrong kind"),
        ("something_new", r"Slack refuses SLACK_BOT_TOKEN \(something_new\)"),
    ],
)
async def test_a_bad_bot_token_says_what_to_do(
    workspace: Workspace, error: str, sentence: str
) -> None:
    workspace.slack.fault("auth.test", "error", error=error)
    with pytest.raises(ConfigMistake, match=sentence):
        await tokens.identify(workspace.slack.bot_token, workspace.slack.api_url)


async def test_swapped_tokens_are_noticed(workspace: Workspace) -> None:
    slack = workspace.slack
    with pytest.raises(ConfigMistake, match=r"SLACK_BOT_TOKEN holds .* SLACK_APP_TOKEN.*swapped"):
        await tokens.identify(slack.app_token, slack.api_url)
    with pytest.raises(ConfigMistake, match=r"SLACK_APP_TOKEN holds .* SLACK_BOT_TOKEN.*swapped"):
        await tokens.check_sockets(slack.bot_token, slack.api_url)


async def test_what_is_no_token_is_noticed(workspace: Workspace) -> None:
    with pytest.raises(ConfigMistake, match="SLACK_BOT_TOKEN has to begin with xoxb-"):
        await tokens.identify("secret", workspace.slack.api_url)


async def test_an_app_token_without_its_scope_says_so(workspace: Workspace) -> None:
    workspace.slack.remove_scope("connections:write")
    with pytest.raises(ConfigMistake, match="lacks the scope connections:write"):
        await tokens.check_sockets(workspace.slack.app_token, workspace.slack.api_url)


async def test_socket_mode_that_is_off_is_noticed(workspace: Workspace) -> None:
    await workspace.slack.disable_sockets()
    with pytest.raises(ConfigMistake, match="Socket Mode is off: switch it on"):
        await tokens.check_sockets(workspace.slack.app_token, workspace.slack.api_url)


@pytest.mark.parametrize("trouble", ["status", "ratelimited", "drop_before_commit"])
async def test_trouble_of_slack_is_not_the_tokens_fault(workspace: Workspace, trouble: str) -> None:
    workspace.slack.fault("auth.test", trouble)
    with pytest.raises(Transient):
        await tokens.identify(workspace.slack.bot_token, workspace.slack.api_url)


async def test_a_good_token_says_who_the_bot_is(workspace: Workspace) -> None:
    bot = await tokens.identify(workspace.slack.bot_token, workspace.slack.api_url)
    assert (bot.team, bot.user) == ("T0001", "U0BOT")
