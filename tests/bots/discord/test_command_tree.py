"""Which commands are sent to Discord, and when."""

from __future__ import annotations

import pytest

from tests.bots.discord.command_server import AGENTS, CommandServer
from tests.bots.discord.server import Server
from tests.peers.discord.peer import DiscordPeer

PUT = "commands.sync"


@pytest.fixture
def command_server(server: Server) -> CommandServer:
    return CommandServer(discord=server.discord, endpoint=server.endpoint, folder=server.folder)


@pytest.fixture
def discord(command_server: CommandServer) -> DiscordPeer:
    return command_server.discord


async def test_commands_are_for_servers_and_direct_messages_and_for_nobody_alone(
    command_server: CommandServer, discord: DiscordPeer
) -> None:
    async with command_server.commanded():
        pass
    commands = {command["name"]: command for command in discord.commands()}
    assert set(commands) == {"agent", "Ask an agent", "support"}
    for command in commands.values():
        assert command["contexts"] == [0, 1]
        assert command["integration_types"] == [0]
    assert [option["name"] for option in commands["agent"]["options"]] == [
        *("ask", "use", "leave", "list", "status", "facts", "remember", "forget", "reset", "stop"),
        *("why", "help"),
    ]


async def test_commands_that_did_not_change_are_not_told_again(
    command_server: CommandServer, discord: DiscordPeer
) -> None:
    for _ in range(2):
        async with command_server.commanded():
            await discord.kick("close")
            await discord.until(lambda: len(discord.sessions) == 1)
    assert len(discord.calls(PUT)) == 1


async def test_commands_that_changed_are_told(
    command_server: CommandServer, discord: DiscordPeer
) -> None:
    for agents in (AGENTS, AGENTS.replace("/support", "/help-desk")):
        async with command_server.commanded(agents):
            pass
    assert len(discord.calls(PUT)) == 2
    assert "help-desk" in {command["name"] for command in discord.commands()}


async def test_of_two_processes_one_tells(
    command_server: CommandServer, discord: DiscordPeer
) -> None:
    async with command_server.commanded(connections=2):
        pass
    assert len(discord.calls(PUT)) == 1


async def test_a_bot_whose_commands_are_refused_answers_and_tells_them_at_the_next_start(
    command_server: CommandServer, discord: DiscordPeer, caplog: pytest.LogCaptureFixture
) -> None:
    discord.fault(PUT, "error", status=400, code=50035, times=1)
    async with command_server.commanded():
        discord.say(discord.general, discord.anna, f"{discord.mention} hello")
        await command_server.answered(discord.general)
    [warning] = [r for r in caplog.records if r.getMessage() == "commands not synchronised"]
    assert vars(warning)["why"] == "Discord refused the commands: 50035."
    assert discord.commands() == []
    async with command_server.commanded():
        pass
    assert discord.commands()


async def test_a_reload_while_no_client_is_there_leaves_the_commands_to_the_next_one(
    command_server: CommandServer, discord: DiscordPeer
) -> None:
    """As between two connections, or while the bot stops."""
    changed = AGENTS.replace("/support", "/help-desk")
    async with command_server.commanded() as bot:
        bot.stop.set()
        await discord.until(lambda: not (discord.sessions or bot.listener.is_listening))
        command_server.settings(changed)
        await bot.runtime.reload()
    async with command_server.commanded(changed):
        pass
    assert "help-desk" in {command["name"] for command in discord.commands()}


async def test_another_application_is_told_its_commands_too(
    command_server: CommandServer, discord: DiscordPeer
) -> None:
    async with command_server.commanded():
        pass
    await command_server.change(
        "UPDATE cursor SET name = name || '0' WHERE name LIKE 'discord-commands/%'"
    )
    async with command_server.commanded():
        pass
    assert len(discord.calls(PUT)) == 2
