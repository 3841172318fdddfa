"""How many turns a second does one process answer, with 50 conversations at once?

    python -m benchmarks.throughput [postgres://…/an-empty-database]

Agents are asked through an endpoint in another process, one question after the other in each room.
Prints turns a second and milliseconds of processor time a turn: the median of the rounds, and the
best. What else this machine does moves the first more than the second.
"""

from __future__ import annotations

import asyncio
import sys
import time
from statistics import median

import core
from benchmarks.endpoint import environment
from core import Agent

ROOMS = 50
TURNS = 6  # in each room, a round
ROUNDS = 5
CHUNKS = "8"


async def main() -> None:
    """Measure, print."""
    agent = await Agent.create(name="bench", model=CHUNKS, tools=[])
    try:
        await _round(agent, 1)
        rounds = [await _round(agent, TURNS) for _ in range(ROUNDS)]
    finally:
        await core.close()
    pace, spent = zip(*rounds, strict=True)
    print(
        f"{ROOMS} conversations: {median(pace):.1f} ({max(pace):.1f}) turns/s, "
        f"{median(spent):.1f} ({min(spent):.1f}) ms of processor time a turn"
    )


async def _round(agent: Agent, turns: int) -> tuple[float, float]:
    wall, processor = time.perf_counter(), time.process_time()
    async with asyncio.TaskGroup() as group:
        for room in range(ROOMS):
            group.create_task(_talk(agent, f"room{room}", turns))
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    return ROOMS * turns / wall, processor * 1000 / (ROOMS * turns)


async def _talk(agent: Agent, room: str, turns: int) -> None:
    for number in range(turns):
        await agent.ask(f"question {number}", room=room)


if __name__ == "__main__":
    with environment(sys.argv[1] if len(sys.argv) > 1 else None):
        asyncio.run(main())
