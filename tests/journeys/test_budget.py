"""Many processes, and an agent that may spend a cent a day, which is not enough for all."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.core.programs import run
from tests.peers.endpoint import Body, Endpoint, Reply

LIMIT = 0.01
PRICES = {"input": 1.0, "output": 2.0}  # dollars per million tokens
ANSWER = " ".join(["word"] * 300)
AGENTS = f"""
[agents.Ada]
model = "m"
tools = []
daily_usd = {LIMIT}

[prices.m]
input = {PRICES["input"]}
output = {PRICES["output"]}
"""
ROOMS = """
import asyncio
from core import Agent, close
from core.errors import AnswerFailed

async def ask(agent, room):
    try:
        await agent.ask("Hello", room=room)
    except AnswerFailed as failure:
        assert "budget" in str(failure), failure
        return "refused"
    return "answered"

async def main():
    agent = await Agent.find_by_name("Ada")
    async with asyncio.TaskGroup() as group:
        asked = [group.create_task(ask(agent, f"{name}/{n}")) for n in range({rooms})]
    for each in asked:
        print(each.result())
    await close()

asyncio.run(main())
"""


def answered(body: Body) -> Reply:
    """As long an answer as may be."""
    most = dict(body).get("max_tokens")
    words = ANSWER.split()[: most if isinstance(most, int) else None]
    return Reply(text=" ".join(words), size=400, pause=0.01)


def paid(body: Body) -> float:
    """What the answer to this has cost, in dollars; a token is a word here."""
    read = sum(len(str(message["content"]).split()) for message in body["messages"])
    written = len(answered(body).text.split())
    return (read * PRICES["input"] + written * PRICES["output"]) / 1_000_000


@pytest.mark.parametrize(
    ("processes", "rooms"),
    [(3, 10), pytest.param(10, 30, marks=[pytest.mark.chaos, pytest.mark.timeout(1800)])],
)
async def test_however_many_ask_at_once_no_more_is_spent_than_the_limit(
    tmp_path: Path, url: str, processes: int, rooms: int
) -> None:
    (tmp_path / "agents.toml").write_text(AGENTS)
    async with Endpoint(answered) as endpoint:
        environment = {
            "DATABASE_URL": url,
            "OPENAI_BASE_URL": endpoint.base_url,
            "OPENAI_API_KEY": "test-key",
        }
        async with asyncio.TaskGroup() as group:
            programs = [
                group.create_task(
                    run(
                        ROOMS.replace("{rooms}", str(rooms)).replace("{name}", f"p{number}"),
                        folder=tmp_path,
                        environment=environment,
                    )
                )
                for number in range(processes)
            ]
        ended = [program.result() for program in programs]
    assert [each.code for each in ended] == [0] * processes, [each.err for each in ended]
    said = "".join(each.out for each in ended).split()
    spent = sum(map(paid, endpoint.requests))
    assert LIMIT / 2 < spent <= LIMIT
    assert (len(said), said.count("answered")) == (processes * rooms, len(endpoint.requests))
