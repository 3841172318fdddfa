"""`moorings doctor`, the whole program against the peers: what it says, and with which code."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from bots.slack.manifest import EVENTS, SCOPES
from bots.slack.workspaces import Workspaces
from core import clock
from core.messaging.installations import Installations
from storage import cursors
from storage.database import open_database
from tests.bots.program import Program
from tests.bots.slack.test_workspaces import granted
from tests.forked import Ended
from tests.peers.discord.peer import DiscordPeer
from tests.peers.endpoint import Endpoint, Fail
from tests.peers.slack.peer import SlackPeer


@pytest.fixture
async def slack() -> AsyncIterator[SlackPeer]:
    """One workspace, whose token has every scope that the manifest asks for."""
    async with SlackPeer() as slack:
        slack.backend.world.tokens[slack.bot_token].scopes.update(SCOPES)
        yield slack


@pytest.fixture
def ready(program: Program, slack: SlackPeer, endpoint: Endpoint) -> Program:
    """The program, with all that Socket Mode needs."""
    program.set(
        SLACK_BOT_TOKEN=slack.bot_token,
        SLACK_APP_TOKEN=slack.app_token,
        SLACK_API_URL=slack.api_url,
    )
    return program


def lines(ended: Ended, about: str) -> list[str]:
    """What was said about one thing, with the verdict in front."""
    found = [line.split(maxsplit=2) for line in ended.out.splitlines()]
    return [f"{verdict} {sentence}" for verdict, subject, sentence in found if subject == about]


async def doctor(program: Program) -> Ended:
    """What it says; never a trace."""
    ended = await program.run("doctor")
    assert ended.err == ""
    return ended


async def test_where_all_is_well_it_says_so_line_by_line(ready: Program) -> None:
    await ready.run("migrate")
    ended = await doctor(ready)
    assert ended.code == 0
    [line] = lines(ended, "database")
    assert line.startswith("ok sqlite://./moorings.db, schema 0")
    assert lines(ended, "model") == [
        "ok assistant: gpt-6-luna answers (Chat Completions, its own effort)"
    ]
    assert lines(ended, "slack")[:2] == [
        "ok SLACK_BOT_TOKEN is @agentbot in Harbour (T0001)",
        "ok SLACK_APP_TOKEN opens Socket Mode",
    ]
    assert lines(ended, "discord") == ["-- not configured (set DISCORD_TOKEN)"]


async def test_a_key_that_several_models_lack_is_missed_once(program: Program) -> None:
    text = '[agents.assistant]\nfallback_models = ["m", "n"]\n'
    (program.folder / "agents.toml").write_text(text)
    [line] = lines(await doctor(program), "model")
    assert "no key: set OPENAI_API_KEY" in line


async def test_it_changes_nothing(ready: Program, slack: SlackPeer) -> None:
    before = sorted(path.name for path in ready.folder.iterdir())
    await doctor(ready)
    assert sorted(path.name for path in ready.folder.iterdir()) == before
    assert {entry.method for entry in slack.calls()} == {"auth.test", "apps.connections.open"}


@pytest.mark.usefixtures("never_ran")
async def test_what_is_not_configured_is_skipped(program: Program, endpoint: Endpoint) -> None:
    ended = await doctor(program)
    assert ended.code == 0
    assert lines(ended, "slack") == ["-- not configured (set SLACK_BOT_TOKEN and SLACK_APP_TOKEN)"]
    assert lines(ended, "http") == ["-- not configured (set PORT)"]
    [tokens] = lines(ended, "tokens")
    assert tokens.startswith("-- tokens of installed workspaces lie in the database as they are")
    assert lines(ended, "database")[0].startswith("ok sqlite://./moorings.db, empty")


async def test_a_missing_scope_is_named_with_the_remedy(ready: Program, slack: SlackPeer) -> None:
    slack.remove_scope("chat:write")
    ended = await doctor(ready)
    assert ended.code == 1
    assert (
        "FAIL the bot token lacks the scope chat:write: add it under OAuth & Permissions, "
        "then reinstall the app"
    ) in lines(ended, "slack")


async def test_a_scope_that_is_not_needed_is_not_a_failure(
    ready: Program, slack: SlackPeer
) -> None:
    slack.remove_scope("chat:write.public")
    ended = await doctor(ready)
    assert ended.code == 0
    assert "-- the bot token lacks the scope chat:write.public" in "\n".join(lines(ended, "slack"))


async def test_several_missing_scopes_are_one_line(ready: Program, slack: SlackPeer) -> None:
    slack.remove_scope("chat:write")
    slack.remove_scope("files:read")
    [line] = [line for line in lines(await doctor(ready), "slack") if line.startswith("FAIL")]
    assert "lacks the scopes chat:write, files:read: add them" in line


async def test_the_events_to_subscribe_to_are_listed(ready: Program) -> None:
    [line] = [line for line in lines(await doctor(ready), "slack") if "Subscribe" in line]
    assert line.startswith("-- ")
    assert line.endswith(", ".join(EVENTS))


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ("invalid_auth", "Slack does not know SLACK_BOT_TOKEN: copy it anew"),
        ("token_revoked", "SLACK_BOT_TOKEN has been revoked: reinstall the app"),
        ("account_inactive", "an app that was uninstalled or disabled in its workspace"),
    ],
)
async def test_a_token_that_slack_does_not_accept_any_more_is_told(
    ready: Program, slack: SlackPeer, error: str, words: str
) -> None:
    slack.spoil_token(slack.bot_token, error)
    ended = await doctor(ready)
    assert ended.code == 1
    assert lines(ended, "slack")[0].startswith("FAIL ")
    assert words in lines(ended, "slack")[0]


async def test_swapped_tokens_are_told(ready: Program, slack: SlackPeer) -> None:
    ready.set(SLACK_BOT_TOKEN=slack.app_token, SLACK_APP_TOKEN=slack.bot_token)
    first, second, *_ = lines(await doctor(ready), "slack")
    assert (first[:5], second[:5]) == ("FAIL ", "FAIL ")
    assert "has to begin with xoxb-" in first
    assert "has to begin with xapp-" in second


async def test_a_socket_token_without_its_scope_is_told(ready: Program, slack: SlackPeer) -> None:
    slack.remove_scope("connections:write")
    ended = await doctor(ready)
    assert "FAIL SLACK_APP_TOKEN lacks the scope connections:write" in "\n".join(
        lines(ended, "slack")
    )


async def test_socket_mode_that_is_off_is_told(ready: Program, slack: SlackPeer) -> None:
    await slack.disable_sockets()
    ended = await doctor(ready)
    assert "FAIL Socket Mode is off: switch it on" in "\n".join(lines(ended, "slack"))


async def test_slack_out_of_reach_is_told(ready: Program, slack: SlackPeer) -> None:
    slack.fault("auth.test", "drop_before_commit")
    ended = await doctor(ready)
    assert ended.code == 1
    assert lines(ended, "slack")[0].startswith("FAIL Slack cannot be reached")


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"SLACK_BOT_TOKEN": "xoxb-1"}, "Nothing can come in"),
        ({"SLACK_APP_TOKEN": "xapp-1"}, "SLACK_BOT_TOKEN is not set"),
        ({"SLACK_BOT_TOKEN": "xoxb-1", "SLACK_SIGNING_SECRET": "s"}, "PORT is not set"),
        ({"SLACK_CLIENT_ID": "1.2", "SLACK_SIGNING_SECRET": "s", "PORT": "80"}, "go together"),
    ],
)
async def test_half_of_a_configuration_is_told(
    program: Program, slack: SlackPeer, variables: dict[str, str], words: str
) -> None:
    program.set(SLACK_API_URL=slack.api_url, **variables)
    ended = await doctor(program)
    assert ended.code == 1
    assert words in lines(ended, "slack")[0]


async def test_each_installed_workspace_is_looked_at(
    program: Program, slack: SlackPeer, endpoint: Endpoint, tmp_path: Path
) -> None:
    slack.add_team("T0002", "Quay")
    database = await open_database(f"sqlite://{tmp_path}/moorings.db")
    workspaces = Workspaces(Installations("slack", clock.now))
    for team in ("T0001", "T0002"):
        await workspaces.store(granted(team, f"xoxb-{team}-peer", clock.now()))
    await database.close()
    slack.uninstall("T0002")
    program.set(
        SLACK_CLIENT_ID=slack.client_id,
        SLACK_CLIENT_SECRET=slack.client_secret,
        SLACK_SIGNING_SECRET=slack.signing_secret,
        SLACK_API_URL=slack.api_url,
        PORT="8080",
    )
    ended = await doctor(program)
    assert lines(ended, "slack")[:2] == [
        "ok SLACK_CLIENT_ID and SLACK_CLIENT_SECRET are the app's",
        "ok installed in workspace (T0001)",
    ]
    assert "FAIL The installation in workspace (T0002) does not work (account_inactive)" in (
        "\n".join(lines(ended, "slack"))
    )


async def test_ports_and_encryption_are_told(program: Program, endpoint: Endpoint) -> None:
    program.set(MOORINGS_SECRET_KEY="k" * 32, PORT="8080", MOORINGS_ADMIN_PORT="8081")
    ended = await doctor(program)
    assert lines(ended, "tokens") == [
        "ok tokens of installed workspaces are encrypted in the database"
    ]
    assert lines(ended, "http") == [
        "ok PORT 8080: /healthz; MOORINGS_ADMIN_PORT 8081: /readyz, /metrics"
    ]


async def test_workspaces_whose_key_is_missing_are_told(
    program: Program, slack: SlackPeer, endpoint: Endpoint, tmp_path: Path
) -> None:
    database = await open_database(f"sqlite://{tmp_path}/moorings.db")
    installations = Installations("slack", clock.now, SecretStr("k" * 32))
    await Workspaces(installations).store(granted("T0001", "xoxb-T0001-peer", clock.now()))
    await database.close()
    program.set(
        SLACK_CLIENT_ID=slack.client_id,
        SLACK_CLIENT_SECRET=slack.client_secret,
        SLACK_SIGNING_SECRET=slack.signing_secret,
        SLACK_API_URL=slack.api_url,
        PORT="8080",
    )
    ended = await doctor(program)
    assert ended.code == 1
    assert "FAIL The installation of workspace T0001 cannot be read: set MOORINGS_SECRET_KEY" in (
        "\n".join(lines(ended, "tokens"))
    )


async def test_each_workspace_that_is_not_served_is_named(ready: Program, slack: SlackPeer) -> None:
    (ready.folder / "agents.toml").write_text('[access]\nworkspaces = ["T2"]\n')
    ended = await doctor(ready)
    [line] = [line for line in lines(ended, "slack") if line.startswith("warn")]
    assert line.startswith("warn Harbour (T0001): the bot answers nobody there: workspaces under")
    assert ended.code == 0


async def test_a_user_group_makes_its_scope_a_must(ready: Program, slack: SlackPeer) -> None:
    slack.remove_scope("usergroups:read")
    without = await doctor(ready)
    (ready.folder / "agents.toml").write_text(
        '[agents.assistant]\n[agents.assistant.access]\nallow = ["slack/group/S0DEV"]\n'
    )
    needed = await doctor(ready)
    assert (without.code, needed.code) == (0, 1)
    assert any(
        "-- the bot token lacks the scope usergroups:read" in x for x in lines(without, "slack")
    )
    assert any(
        "FAIL the bot token lacks the scope usergroups:read" in x for x in lines(needed, "slack")
    )


async def test_a_wrong_client_secret_is_told(program: Program, slack: SlackPeer) -> None:
    program.set(
        SLACK_CLIENT_ID=slack.client_id,
        SLACK_CLIENT_SECRET=slack.client_secret[::-1],
        SLACK_SIGNING_SECRET=slack.signing_secret,
        SLACK_API_URL=slack.api_url,
        PORT="8080",
    )
    [line, *_] = lines(await doctor(program), "slack")
    assert line.startswith("FAIL SLACK_CLIENT_SECRET is not that of SLACK_CLIENT_ID")


async def test_a_mistake_in_the_settings_is_told(program: Program) -> None:
    program.set(PORT="http", MOORINGS_LEASE_SECONDS="0")
    ended = await doctor(program)
    assert ended.code == 1
    assert ended.out == (
        "FAIL settings  PORT has to be a whole number, not 'http'.\n"
        "FAIL settings  MOORINGS_LEASE_SECONDS has to be more than 0, not '0'.\n"
    )


async def test_a_mistake_in_the_agents_file_is_told_with_its_line(program: Program) -> None:
    (program.folder / "agents.toml").write_text('[agents.ada]\nmodle = "m"\n')
    ended = await doctor(program)
    assert ended.code == 1
    assert "agents.toml:2: agents.ada.modle" in lines(ended, "agents")[0]


async def test_a_tool_that_cannot_be_imported_is_told(program: Program) -> None:
    (program.folder / "agents.toml").write_text('[agents.ada]\ntools = ["gone:lookup"]\n')
    [line] = lines(await doctor(program), "tools")
    assert line.startswith("FAIL agent ada: tool 'gone:lookup'")


async def test_a_missing_key_is_told(program: Program) -> None:
    ended = await doctor(program)
    assert ended.code == 1
    assert "set OPENAI_API_KEY" in lines(ended, "model")[0]


async def test_a_model_that_refuses_is_told(program: Program, endpoint: Endpoint) -> None:
    endpoint.script(Fail(status=401))
    ended = await doctor(program)
    assert ended.code == 1
    assert "does not accept the key" in lines(ended, "model")[0]


async def test_a_model_of_several_agents_is_asked_once(
    program: Program, endpoint: Endpoint
) -> None:
    (program.folder / "agents.toml").write_text(
        '[agents.ada]\nfallback_models = ["small"]\n[agents.ben]\n'
    )
    ended = await doctor(program)
    assert lines(ended, "model") == [
        "ok ada, ben: gpt-6-luna answers (Chat Completions, its own effort)",
        "ok ada: small answers (Chat Completions, its own effort)",
    ]
    assert [body["model"] for body in endpoint.requests] == ["gpt-6-luna", "small"]


async def test_a_database_out_of_reach_is_told(program: Program, endpoint: Endpoint) -> None:
    program.set(DATABASE_URL="postgres://nobody:secret@127.0.0.1:1/gone")
    ended = await doctor(program)
    assert ended.code == 1
    assert lines(ended, "database")[0].startswith("FAIL ")
    assert "secret" not in ended.out


@pytest.fixture
async def discord(program: Program, endpoint: Endpoint) -> AsyncIterator[DiscordPeer]:
    """One server that the program has the token for."""
    async with DiscordPeer() as discord:
        program.set(DISCORD_TOKEN=discord.token, DISCORD_API_URL=discord.api_url)
        yield discord


async def test_where_all_is_well_discord_says_so_line_by_line(
    program: Program, discord: DiscordPeer
) -> None:
    ended = await doctor(program)
    assert ended.code == 0
    assert [line.partition(" ")[0] for line in lines(ended, "discord")] == ["ok"] * 4
    assert discord.token not in ended.out


async def test_a_bound_channel_that_may_not_be_read_back_is_a_failure(
    program: Program, discord: DiscordPeer
) -> None:
    (program.folder / "agents.toml").write_text(
        f"""[agents.ada]
        [[bindings]]
        at = "discord/{discord.guild}/{discord.general}"
        agent = "ada"
        """
    )
    discord.deny(discord.general, "READ_MESSAGE_HISTORY")
    ended = await doctor(program)
    assert ended.code == 1
    assert "where ada is bound: the bot lacks Read Message History" in lines(ended, "discord")[-1]


async def test_missing_message_content_is_not_a_failure(
    program: Program, discord: DiscordPeer
) -> None:
    discord.message_content = False
    ended = await doctor(program)
    assert ended.code == 0
    assert lines(ended, "discord")[1].startswith("-- Message Content Intent is off")


async def test_discord_is_looked_at_where_the_agents_file_is_faulty(
    program: Program, discord: DiscordPeer
) -> None:
    (program.folder / "agents.toml").write_text("[agents")
    ended = await doctor(program)
    assert ended.code == 1
    assert lines(ended, "discord")[0].startswith("ok DISCORD_TOKEN is @agentbot")


async def test_a_backup_that_is_not_configured_is_skipped(program: Program) -> None:
    [line] = lines(await doctor(program), "backup")
    assert line == "-- not configured (write [backup] into the agents file)"


@pytest.mark.parametrize(
    ("hours", "told"),
    [
        (None, "warn there is none yet: a bot that runs writes the first one at once"),
        (4, "ok the last one was 4 hours ago, 14 are kept"),
        (72, "warn the last one was 3 days ago: look for `backup failed` in the log of the bot"),
    ],
)
async def test_the_age_of_the_last_backup_is_told(
    program: Program, filled_url: str, hours: float | None, told: str
) -> None:
    (program.folder / "agents.toml").write_text('[backup]\nto = "backups"\n')
    if hours:
        database = await open_database(filled_url)
        at = clock.now() - timedelta(hours=hours)
        await cursors.see("backup", at.isoformat(), at)
        await database.close()
    assert lines(await doctor(program), "backup") == [told]
