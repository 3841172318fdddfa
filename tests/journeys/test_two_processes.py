"""Two processes with one token and one database, as in a rolling deploy: one answers."""

from __future__ import annotations

from pathlib import Path

from tests.journeys import kills as journey
from tests.journeys import processes, program, record
from tests.peers.discord.peer import DiscordPeer
from tests.peers.endpoint import Endpoint


async def test_both_hear_everything_and_one_answers(tmp_path: Path, filled_url: str) -> None:
    async with record.kept(filled_url), DiscordPeer() as discord, Endpoint() as endpoint:
        agents = journey.AGENTS.format(f"discord/{discord.guild}", "channel")
        (tmp_path / "agents.toml").write_text(agents)
        environment = {
            "DATABASE_URL": filled_url,
            "OPENAI_BASE_URL": endpoint.base_url,
            "OPENAI_API_KEY": "test-key",
            "DISCORD_TOKEN": discord.token,
            "DISCORD_API_URL": discord.api_url,
        }
        await journey.first_start([f"discord/{discord.guild}"], tmp_path, environment)
        bots = [processes.start(program.moorings, tmp_path, environment, "run") for _ in range(2)]
        await discord.until_connected(2)
        said = [discord.say(discord.general, discord.anna, f"message #{n}") for n in range(5)]
        commanded = discord.command(
            "/agent ask", {"question": "and #c0?"}, discord.support, discord.ben
        )
        await record.until(lambda: _all_answered(len(said)))
        for bot in bots:
            assert await processes.asked_to_stop(bot) == 0
        await record.check()
        shown_on_record = await record.visible()
    places = (discord.general, discord.support)
    lines = [line for place in places for line in discord.transcript(place) if line.is_bot]
    shown = [line for line in lines if line.id != commanded.response]
    assert {line.id: record.MARKER.findall(line.text) for line in shown} == shown_on_record


async def _all_answered(said: int) -> bool:
    return len(await record.commanded()) == 1 and await record.all_ended(said)
