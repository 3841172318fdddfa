"""Discord put together: it starts when Discord can be reached, or says why it cannot."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from bots.discord.platform import DiscordPlatform
from core.errors import ConfigMistake
from core.runtime import Runtime
from tests.bots.discord.server import Server
from tests.peers.endpoint import Reply


async def test_a_token_that_discord_refuses_is_a_mistake_of_the_operator(server: Server) -> None:
    async with runtime_of(server) as runtime:
        server.discord.spoil_token()
        with pytest.raises(ConfigMistake, match="set DISCORD_TOKEN to the new one"):
            await DiscordPlatform.open(runtime)


async def test_discord_is_waited_for(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    server.discord.fault("users.me", "status", status=503, times=1)
    async with runtime_of(server) as runtime:
        platform = await DiscordPlatform.open(runtime)
        await platform.close()
    assert "waiting for Discord" in caplog.messages


async def test_nothing_comes_in_before_it_listens(server: Server) -> None:
    async with runtime_of(server) as runtime:
        platform = await DiscordPlatform.open(runtime)
        ways_in = platform.ways_in(runtime.worker({"discord": platform.adapter}))
        assert ways_in.check
        with pytest.raises(ConnectionError):
            await ways_in.check()
        await platform.close()


async def test_an_agent_appears_under_its_name_and_the_default_agent_as_the_bot(
    server: Server,
) -> None:
    discord = server.discord
    agents = """
        [agents.assistant]
        [agents.support]
        [agents.critic]
        display_name = "The Critic"
    """
    async with server.bot(agents):
        server.endpoint.script(*[Reply(text="Hello.")] * 3)
        for number, name in enumerate(("assistant", "support", "critic"), 1):
            discord.say(discord.general, discord.anna, f"{discord.mention} {name}: hello")
            await server.answered(discord.general, number)
    assert server.said(discord.general) == [
        "Hello.",
        "-# support\nHello.",
        "-# The Critic\nHello.",
    ]


@asynccontextmanager
async def runtime_of(server: Server) -> AsyncIterator[Runtime]:
    runtime = await Runtime.open(server.settings())
    yield runtime
    await runtime.close()
