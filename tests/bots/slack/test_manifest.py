"""The app's manifest follows the configuration."""

from __future__ import annotations

import json

from bots.slack.fields import at
from bots.slack.manifest import EVENTS, SCOPES, Served, manifest
from core.config.agents_file import AgentsFile
from core.config.spec import AgentSpec
from tests.bots.program import Program

FILE = AgentsFile(
    default_agent="a",
    agents={"a": AgentSpec(name="a", suggested_prompts=("What is due?",))},
    bindings=(),
    commands={"/support": "support", "/agent": "a"},
)


def test_socket_mode_needs_no_address() -> None:
    made = manifest(FILE, Served())
    assert at(made, "settings", "socket_mode_enabled") is True
    assert "http" not in json.dumps(made)


def test_http_mode_has_the_address_of_each_way_in() -> None:
    made = manifest(FILE, Served(url="https://bot.example/"))
    settings = "settings"
    assert at(made, settings, "socket_mode_enabled") is False
    assert at(made, settings, "event_subscriptions", "request_url") == (
        "https://bot.example/slack/events"
    )
    assert at(made, settings, "interactivity", "request_url") == (
        "https://bot.example/slack/interactivity"
    )
    assert at(made, "features", "slash_commands", 1, "url") == "https://bot.example/slack/commands"


def test_each_command_of_the_agents_file_is_there_once() -> None:
    commands = at(manifest(FILE, Served()), "features", "slash_commands")
    assert isinstance(commands, list)
    assert [at(command, "command") for command in commands] == ["/agent", "/support"]


def test_scopes_events_and_the_shortcut_are_there() -> None:
    made = manifest(FILE, Served())
    assert at(made, "oauth_config", "scopes", "bot") == list(SCOPES)
    assert at(made, "settings", "event_subscriptions", "bot_events") == list(EVENTS)
    assert at(made, "features", "shortcuts", 0, "callback_id") == "ask_agent"


def test_the_messages_tab_begins_with_what_the_default_agent_suggests() -> None:
    suggested = at(manifest(FILE, Served()), "features", "agent_view", "suggested_prompts")
    assert suggested == [{"title": "What is due?", "message": "What is due?"}]


async def test_the_command_prints_it_as_json_alone(program: Program) -> None:
    (program.folder / "agents.toml").write_text(
        '[agents.support]\n[[commands]]\nname = "/support"\nagent = "support"\n'
    )
    ended = await program.run("manifest", "slack")
    assert ended.code == 0
    assert '"/support"' in ended.out
    assert at(json.loads(ended.out), "settings", "socket_mode_enabled") is True
    program.set(SLACK_SIGNING_SECRET="s")  # noqa: S106  # a test's
    by_http = json.loads((await program.run("manifest", "slack")).out)
    assert at(by_http, "settings", "socket_mode_enabled") is False
    named = json.loads((await program.run("manifest", "slack", "--url", "https://b.example")).out)
    assert "https://b.example/slack/events" in json.dumps(named)
