"""On Discord the agents file says who there is."""

from __future__ import annotations

import pytest

from core.config.spec import AgentSpec
from core.runtime import Runtime
from tests.bots.discord.bots import Server
from tests.bots.discord.commanding import AGENTS, Harbour
from tests.peers.endpoint import Stall

ONE = "[agents.assistant]\n"


@pytest.fixture
def harbour(server: Server) -> Harbour:
    return Harbour(discord=server.discord, endpoint=server.endpoint, folder=server.folder)


async def test_an_agent_made_from_python_is_not_asked(harbour: Harbour) -> None:
    discord = harbour.discord
    program = await Runtime.open(harbour.settings(ONE))
    await program.directory.register(AgentSpec(name="Planner", instructions="Plan."))
    await program.close()
    async with harbour.commanded(ONE):
        discord.dm(discord.anna, "Planner: hello")
        answers = await harbour.answered(discord.direct(discord.anna))
        asked = await harbour.command("agent ask", question="hello", agent="Planner")
        assert "There is no agent 'Planner'" in await harbour.told(asked)
        assert await harbour.suggested("ask", {"question": "hello", "agent": "P"}) == []
    assert answers == ["You said: Planner: hello"]


async def test_a_retired_agent_answers_nowhere(harbour: Harbour) -> None:
    discord = harbour.discord
    async with harbour.commanded(AGENTS):
        discord.grant(discord.anna, "MANAGE_CHANNELS")
        await harbour.obeyed("use", discord.anna, agent="support")
        first = discord.say(discord.general, discord.ben, "who is here?")
        await harbour.answered(discord.general)
        answer = harbour.answers(discord.general)[0]
    assert answer.reply_to == first
    async with harbour.commanded(ONE):
        discord.say(discord.general, discord.ben, "to nobody")
        discord.say(discord.general, discord.ben, "and you?", reply_to=answer.id)
        await harbour.answered(discord.general, 2)
        pressed = await harbour.pressed(answer.id, "Again")
        assert "There is no agent 'support'" in await harbour.told(pressed)
    assert harbour.said(discord.general) == [
        "-# support\nYou said: who is here?",
        "You said: and you?",
    ]


async def test_what_waits_for_a_retired_agent_is_told_so(harbour: Harbour) -> None:
    discord = harbour.discord
    harbour.endpoint.script(Stall())
    async with harbour.commanded(AGENTS):
        discord.dm(discord.anna, "support: hello")
        await harbour.endpoint.arrived()
    async with harbour.commanded(ONE):
        await harbour.ended_with(discord.direct(discord.anna), "retired")
    assert len(harbour.endpoint.requests) == 1
