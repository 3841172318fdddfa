"""The bot is killed while a long answer goes out to Discord in several messages."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from storage.models import Cursor
from tests.journeys import kills, processes, program, record
from tests.peers.discord.peer import DiscordPeer
from tests.peers.endpoint import Body, Endpoint

ANSWER = "the same words again " * 250  # in three messages, the first two of them alike
PLACES = [
    ("turn ended, not delivered", 1),
    ("post intended", 2),
    ("delivered, not recorded", 1),
    ("delivered, not recorded", 3),
    ("delivered", 2),
    ("posted, not recorded", 1),
]
LATER = [  # at the same places, with another of the messages
    ("post intended", 1),
    ("post intended", 3),
    ("delivered, not recorded", 2),
    ("delivered", 1),
]


@pytest.fixture
async def discord() -> AsyncIterator[DiscordPeer]:
    """It forgets nonces at once: only the history tells what was posted."""
    async with DiscordPeer(nonce_seconds=0) as peer:
        yield peer


def answer(_: Body) -> str:
    return ANSWER


@pytest.mark.parametrize(
    ("place", "time"),
    [*PLACES, *(pytest.param(*each, marks=pytest.mark.chaos) for each in LATER)],
)
async def test_each_of_its_messages_is_there_once(
    tmp_path: Path, filled_url: str, discord: DiscordPeer, place: str, time: int
) -> None:
    agents = kills.AGENTS.format(f"discord/{discord.guild}", "channel")
    (tmp_path / "agents.toml").write_text(agents)
    async with record.kept(filled_url), Endpoint(answer) as endpoint:
        environment = {
            "DATABASE_URL": filled_url,
            "OPENAI_BASE_URL": endpoint.base_url,
            "OPENAI_API_KEY": "test-key",
            "DISCORD_TOKEN": discord.token,
            "DISCORD_API_URL": discord.api_url,
            "MOORINGS_LEASE_SECONDS": "2",
        }
        killed = processes.start(program.doomed, tmp_path, environment, place, time)
        await record.until(Cursor.filter(name=f"discord/{discord.guild}").exists)
        question = discord.say(discord.general, discord.anna, "what is new?")
        assert await processes.ended(killed) == -signal.SIGKILL
        last = processes.start(program.moorings, tmp_path, environment, "run")
        await record.until(lambda: record.all_ended(1))
        assert await processes.asked_to_stop(last) == 0
    lines = [line for line in discord.transcript(discord.general) if line.is_bot]
    assert " ".join(line.text for line in lines).split() == ANSWER.split()
    assert [line.reply_to for line in lines] == [question, "", ""]
    assert [line.buttons[-1:] for line in lines] == [(), (), ("Again",)]
