"""The database server goes away in the middle of answers, and comes back."""

from __future__ import annotations

import asyncio
from itertools import cycle, islice
from pathlib import Path

import pytest

from tests.journeys import record
from tests.journeys.crowd import Crowd
from tests.journeys.fleet import Fleet
from tests.peers.postgres import How, PostgresServer

LONG = [pytest.mark.chaos, pytest.mark.alone, pytest.mark.timeout(600)]
HOWS: tuple[How, ...] = ("fast", "immediate")


@pytest.mark.parametrize(
    ("channels", "messages", "restarts", "seconds"),
    [(3, 16, 2, 1.5), pytest.param(25, 200, 5, 5.0, marks=LONG)],
)
async def test_every_message_has_one_visible_answer(
    tmp_path: Path, cluster: Path, channels: int, messages: int, restarts: int, seconds: float
) -> None:
    """A restart every so many seconds."""
    async with (
        PostgresServer(cluster=cluster) as server,
        Crowd(tmp_path, server.url, channels=channels) as crowd,
    ):
        async with Fleet(tmp_path, crowd.environment, 3) as fleet:
            await fleet.ready()
            async with asyncio.TaskGroup() as group:
                group.create_task(crowd.talk(messages, seconds=seconds * restarts))
                for how in islice(cycle(HOWS), restarts):
                    await asyncio.sleep(0.8 * seconds)
                    await server.restart(how)
            await crowd.all_answered()
        await crowd.check(is_anybody_dead=False)
        print(await record.figures())  # noqa: T201  # for whoever runs `make chaos`
