"""Two processes with one token and one database, as in a rolling deploy: one answers."""

from __future__ import annotations

from pathlib import Path

from tests.journeys import kills as journey
from tests.journeys import processes, program
from tests.peers.discord.peer import DiscordPeer
from tests.peers.endpoint import Endpoint


async def test_both_hear_everything_and_one_answers(tmp_path: Path) -> None:
    async with DiscordPeer() as discord, Endpoint() as endpoint:
        agents = journey.AGENTS.format(f"discord/{discord.guild}", "channel")
        (tmp_path / "agents.toml").write_text(agents)
        environment = {
            "DATABASE_URL": "sqlite://./moorings.db",
            "OPENAI_BASE_URL": endpoint.base_url,
            "OPENAI_API_KEY": "test-key",
            "DISCORD_TOKEN": discord.token,
            "DISCORD_API_URL": discord.api_url,
        }
        await journey.first_start(f"discord/{discord.guild}", tmp_path, environment, discord.until)
        bots = [processes.start(program.moorings, tmp_path, environment, "run") for _ in range(2)]
        await discord.until_connected(2, within=30)
        said = [discord.say(discord.general, discord.anna, f"message #{n}") for n in range(5)]
        commanded = discord.command(
            "/agent ask", {"question": "and #c0?"}, discord.support, discord.ben
        )
        await discord.until(
            lambda: (
                len(journey.rows(tmp_path, "SELECT 1 FROM inbox WHERE state = 'answered'")) == 6
                and not journey.rows(tmp_path, journey.DUE)
            ),
            within=30,
        )
        for bot in bots:
            assert await processes.asked_to_stop(bot) == 0
    journey.check_record(tmp_path)
    assert len(journey.rows(tmp_path, journey.SAID)) == len(said)
    places = (discord.general, discord.support)
    lines = [line for place in places for line in discord.transcript(place) if line.is_bot]
    shown = [line for line in lines if line.id != commanded.response]
    assert {line.id: journey.MARKER.findall(line.text) for line in shown} == journey.visible(
        tmp_path
    )
