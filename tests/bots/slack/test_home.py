"""The Home tab: who answers where, and what is remembered about whoever looks."""

from __future__ import annotations

import pytest

from tests.bots.slack.bots import Workspace
from tests.peers.endpoint import CallTool

AGENTS = """
[agents.assistant]
[agents.support]
[[bindings]]
at = "slack/T0001/C0SUPPORT"
agent = "support"
listen = "all"
[[bindings]]
at = "slack/T9999/C0OTHER"
agent = "support"
"""
ANNA, BEN = "U0ANNA", "U0BEN"


async def looked_at(workspace: Workspace, user: str) -> str:
    """The tab as this person sees it now."""
    slack = workspace.slack
    before = len(slack.calls("views.publish"))
    slack.open_home(user)
    await slack.until(lambda: len(slack.calls("views.publish")) > before)
    await slack.until(lambda: slack.calls("views.publish")[-1].is_committed)
    return slack.home(user)


async def test_the_tab_says_who_answers_where_in_this_workspace(workspace: Workspace) -> None:
    slack = workspace.slack
    async with workspace.bot(AGENTS):
        slack.command("/agent", "use support mention", "C0GENERAL", ANNA)
        await slack.until_quiet()
        shown = await looked_at(workspace, ANNA)
    assert "C0SUPPORT>: *support* answers every message." in shown
    assert "C0GENERAL>: *support* answers whoever mentions it." in shown
    assert "Everywhere else *assistant* answers" in shown
    assert "C0OTHER" not in shown


async def test_the_tab_shows_people_only_what_they_said_themselves(workspace: Workspace) -> None:
    slack = workspace.slack
    async with workspace.bot(AGENTS):
        workspace.endpoint.script(CallTool(name="remember", arguments='{"text": "Anna sails"}'))
        slack.say(slack.direct(ANNA), ANNA, "Remember that I sail")
        await workspace.answered(slack.direct(ANNA))
        slack.command("/agent", "remember Ben rows", "C0GENERAL", BEN)
        await slack.until_quiet()
        annas, bens = await looked_at(workspace, ANNA), await looked_at(workspace, BEN)
    assert "Anna sails" in annas
    assert "Ben rows" not in annas
    assert "Ben rows" in bens
    assert "Anna sails" not in bens


async def test_private_places_are_listed_only_there(workspace: Workspace) -> None:
    slack = workspace.slack
    slack.add_channel("C0SECRET", kind="group")
    slack.add_channel("C0GROUP", kind="mpim")
    slack.add_channel("C0NOBOT", bot=False)
    private = ("C0SECRET", "C0GROUP", slack.direct(BEN), slack.direct(ANNA))
    async with workspace.bot(AGENTS):
        for channel in (*private[:2], "C0NOBOT"):
            slack.command("/agent", f"use support {channel}", channel, ANNA)
        for channel in private:
            user = BEN if channel == slack.direct(BEN) else ANNA
            slack.command("/agent", "use support", channel, user)
            slack.command("/agent", f"remember told in {channel}", channel, user)
        await slack.until_quiet()
        annas, bens = await looked_at(workspace, ANNA), await looked_at(workspace, BEN)
    for text, own, others in (
        (annas, slack.direct(ANNA), slack.direct(BEN)),
        (bens, slack.direct(BEN), slack.direct(ANNA)),
    ):
        assert f"<#{own}>: *support* answers every message." in text
        assert f"told in {own}" in text
        for hidden in (*private[:2], others, "C0NOBOT"):
            assert hidden not in text


async def test_a_guest_sees_the_channels_that_they_are_in(workspace: Workspace) -> None:
    slack = workspace.slack
    slack.add_user("U0GUS", "gus", is_guest=True)
    async with workspace.bot(AGENTS):
        assert "C0SUPPORT" not in await looked_at(workspace, "U0GUS")
        slack.join("C0SUPPORT", "U0GUS")
        assert "C0SUPPORT" in await looked_at(workspace, "U0GUS")


async def test_what_slack_does_not_tell_is_private(workspace: Workspace) -> None:
    slack = workspace.slack
    async with workspace.bot(AGENTS):
        slack.command("/agent", "remember Ben rows", "C0GENERAL", BEN)
        await slack.until_quiet()
        slack.fault("users.conversations", "error", error="invalid_auth")
        shown = await looked_at(workspace, BEN)
    assert "C0SUPPORT" not in shown
    assert "Ben rows" not in shown
    assert "Everywhere else *assistant* answers" in shown


@pytest.mark.parametrize("is_said", [True, False])
async def test_a_channel_that_turned_private_is_private_from_then_on(
    workspace: Workspace, is_said: bool
) -> None:
    """Also if it is public again, and in the next process; a message or Slack's own may tell it."""
    slack = workspace.slack
    async with workspace.bot(AGENTS):
        slack.say("C0SUPPORT", ANNA, "hello")
        await workspace.answered("C0SUPPORT")
        slack.command("/agent", "remember Ben rows", "C0SUPPORT", BEN)
        await slack.until_quiet()
        assert "Ben rows" in await looked_at(workspace, BEN)
        if is_said:
            slack.backend.world.channels["C0SUPPORT"].kind = "group"
            slack.say("C0SUPPORT", ANNA, "among us")
            await workspace.answered("C0SUPPORT", 2)
        else:
            slack.turn("C0SUPPORT", "group", ANNA)
            await slack.until_quiet()
    slack.turn("C0SUPPORT", "channel", ANNA)
    async with workspace.bot(AGENTS):
        slack.say("C0SUPPORT", ANNA, "hello all")
        await workspace.answered("C0SUPPORT", 3 if is_said else 2)
        shown = await looked_at(workspace, BEN)
    assert "Ben rows" not in shown
    assert "C0SUPPORT" not in shown


async def test_a_fact_is_forgotten_by_its_button(workspace: Workspace) -> None:
    slack = workspace.slack
    async with workspace.bot(AGENTS):
        slack.command("/agent", "remember Ben rows", "C0GENERAL", BEN)
        await slack.until_quiet()
        assert "Ben rows" in await looked_at(workspace, BEN)
        slack.click_home(BEN, "forget_fact")
        await slack.until(lambda: "Ben rows" not in slack.home(BEN))
        assert "Nothing that you said is remembered" in slack.home(BEN)
    assert workspace.rows("SELECT 1 FROM fact WHERE forgotten_at IS NULL") == []


async def test_nobody_forgets_what_somebody_else_said(workspace: Workspace) -> None:
    slack = workspace.slack
    async with workspace.bot(AGENTS):
        slack.command("/agent", "remember Ben rows", "C0GENERAL", BEN)
        slack.command("/agent", "remember Anna sails", "C0GENERAL", ANNA)
        await slack.until_quiet()
        await looked_at(workspace, ANNA)
        [(bens,)] = workspace.rows("SELECT id FROM fact WHERE text = 'Ben rows'")
        slack.click_home(ANNA, "forget_fact", str(bens))
        await slack.until_quiet()
    assert workspace.rows("SELECT 1 FROM fact WHERE forgotten_at IS NOT NULL") == []
