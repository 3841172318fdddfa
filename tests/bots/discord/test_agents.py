"""Only agents of the agents file can be asked on Discord."""

from __future__ import annotations

import pytest

from core.config.spec import AgentSpec
from core.runtime import Runtime
from tests.bots.discord.command_server import AGENTS, CommandServer
from tests.bots.discord.server import Server
from tests.peers.endpoint import Stall

ONE = "[agents.assistant]\n"


@pytest.fixture
def command_server(server: Server) -> CommandServer:
    return CommandServer(discord=server.discord, endpoint=server.endpoint, folder=server.folder)


async def test_an_agent_made_from_python_is_not_asked(command_server: CommandServer) -> None:
    discord = command_server.discord
    program = await Runtime.open(command_server.settings(ONE))
    await program.directory.register(AgentSpec(name="Planner", instructions="Plan."))
    await program.close()
    async with command_server.commanded(ONE):
        discord.dm(discord.anna, "Planner: hello")
        answers = await command_server.answered(discord.direct(discord.anna))
        asked = await command_server.command("agent ask", question="hello", agent="Planner")
        assert "There is no agent 'Planner'" in await command_server.told(asked)
        assert await command_server.suggested("ask", {"question": "hello", "agent": "P"}) == []
    assert answers == ["You said: Planner: hello"]


async def test_a_retired_agent_answers_nowhere(command_server: CommandServer) -> None:
    discord = command_server.discord
    async with command_server.commanded(AGENTS):
        discord.grant(discord.anna, "MANAGE_CHANNELS")
        await command_server.agent_command("use", discord.anna, agent="support")
        first = discord.say(discord.general, discord.ben, "who is here?")
        await command_server.answered(discord.general)
        answer = command_server.answers(discord.general)[0]
    assert answer.reply_to == first
    async with command_server.commanded(ONE):
        discord.say(discord.general, discord.ben, "to nobody")
        discord.say(discord.general, discord.ben, "and you?", reply_to=answer.id)
        await command_server.answered(discord.general, 2)
        pressed = await command_server.pressed(answer.id, "Again")
        assert "There is no agent 'support'" in await command_server.told(pressed)
    of_support, of_assistant = command_server.said(discord.general)
    assert of_support == "-# support\nYou said: who is here?"
    assert of_assistant.startswith("You said: ")
    assert of_assistant.endswith("and you?")


async def test_what_waits_for_a_retired_agent_is_told_so(command_server: CommandServer) -> None:
    discord = command_server.discord
    command_server.endpoint.script(Stall())
    async with command_server.commanded(AGENTS):
        discord.dm(discord.anna, "support: hello")
        await command_server.endpoint.arrived()
    async with command_server.commanded(ONE):
        await command_server.ended_with(discord.direct(discord.anna), "retired")
    assert len(command_server.endpoint.requests) == 1
