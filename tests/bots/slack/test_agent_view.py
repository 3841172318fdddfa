"""What Slack shows around a conversation in the Messages tab."""

from __future__ import annotations

from tests.bots.slack.bots import Workspace
from tests.peers.slack.peer import SlackPeer

AGENTS = """
[agents.assistant]
suggested_prompts = [
    "What is due this week?",
    "Write the minutes of our meeting: what was decided and who does what?",
]
[agents.silent]
[[bindings]]
at = "slack/T0001/C0SUPPORT"
agent = "silent"
"""
ANNA, BEN = "U0ANNA", "U0BEN"


def prompts(slack: SlackPeer, user: str) -> list[tuple[str, str]]:
    """The titles and messages that are suggested to this person."""
    shown = slack.thread_state(slack.direct(user)).get("prompts", [])
    return [(prompt["title"], prompt["message"]) for prompt in shown]


def title(slack: SlackPeer, channel: str, thread: str) -> str:
    """What the thread is called."""
    return str(slack.thread_state(channel, thread).get("title", ""))


async def test_whoever_opens_the_tab_is_shown_what_the_agent_can_be_asked(
    workspace: Workspace,
) -> None:
    slack = workspace.slack
    async with workspace.bot(AGENTS):
        slack.open_home(ANNA, "messages")
        await slack.until(lambda: prompts(slack, ANNA))
    assert prompts(slack, ANNA) == [
        ("What is due this week?", "What is due this week?"),
        (
            "Write the minutes of our meeting: what was decided and who …",
            "Write the minutes of our meeting: what was decided and who does what?",
        ),
    ]


async def test_an_agent_without_prompts_suggests_nothing(workspace: Workspace) -> None:
    slack = workspace.slack
    async with workspace.bot("[agents.silent]"):
        slack.open_home(ANNA, "messages")
        slack.open_home(ANNA)
        await slack.until(lambda: slack.calls("views.publish"))
    assert slack.calls("assistant.threads.setSuggestedPrompts") == []


async def test_a_thread_is_called_by_its_first_question(workspace: Workspace) -> None:
    slack = workspace.slack
    place = slack.direct(ANNA)
    thread = slack.say(place, ANNA, "hello")
    async with workspace.bot(AGENTS):
        slack.say(place, ANNA, "When is\nthe deadline?", thread)
        await slack.until(lambda: title(slack, place, thread))
        slack.say(place, ANNA, "And who owns it?", thread)
        slack.say(place, ANNA, "outside of it")
        slack.open_home(BEN, "messages")
        await slack.until(lambda: prompts(slack, BEN))
    assert title(slack, place, thread) == "When is the deadline?"
    assert len(slack.calls("assistant.threads.setTitle")) == 1


async def test_threads_of_channels_get_no_title(workspace: Workspace) -> None:
    slack = workspace.slack
    async with workspace.bot(AGENTS):
        thread = slack.say("C0SUPPORT", ANNA, f"{slack.mention} hello")
        await workspace.answered("C0SUPPORT")
        slack.say("C0SUPPORT", ANNA, f"{slack.mention} and on", thread)
        await workspace.answered("C0SUPPORT", 2)
        slack.open_home(BEN, "messages")
        await slack.until(lambda: prompts(slack, BEN))
    assert slack.calls("assistant.threads.setTitle") == []


async def test_slack_without_the_tab_is_no_trouble(workspace: Workspace) -> None:
    slack = workspace.slack
    slack.fault("assistant.threads.setSuggestedPrompts", "error", error="not_allowed", times=1)
    async with workspace.bot(AGENTS):
        slack.open_home(ANNA, "messages")
        await slack.until(lambda: slack.calls("assistant.threads.setSuggestedPrompts"))
        slack.open_home(BEN, "messages")
        await slack.until(lambda: prompts(slack, BEN))
    assert prompts(slack, ANNA) == []
