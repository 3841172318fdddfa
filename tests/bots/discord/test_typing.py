"""People see the bot typing for as long as nothing of an answer is written yet."""

from __future__ import annotations

import pytest

from bots.discord.adapter import DiscordAdapter
from tests.bots.discord.server import Server
from tests.peers.endpoint import Stall

RUNNING = "SELECT count(*) FROM turn WHERE state = 'running'"


async def test_it_is_shown_for_as_long_as_it_takes(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(DiscordAdapter, "working_seconds", 0.1)
    monkeypatch.setattr("core.turn.stops._LOOK_SECONDS", 0.05)
    discord = server.discord
    server.endpoint.script(Stall())
    async with server.bot("[agents.assistant]\n"):
        asked = discord.say(discord.general, discord.anna, f"{discord.mention} hello")
        for _ in range(3):
            await discord.until(lambda: discord.typing(discord.general))
            discord.advance(11)  # Discord shows it for ten seconds
        assert discord.answers(asked) == []
        discord.delete(asked)
        await discord.until(lambda: server.rows(RUNNING) == [(0,)])
        discord.advance(11)
        discord.say(discord.general, discord.anna, f"{discord.mention} and now?")
        await server.answered(discord.general)
        assert not discord.typing(discord.general)
