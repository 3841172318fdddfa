"""Rolling deploys: the old process and the new one are alive together, and nobody notices."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.journeys.crowd import Crowd
from tests.journeys.fleet import Fleet


async def test_nothing_is_lost_or_doubled(tmp_path: Path, filled_url: str) -> None:
    assert await _delays(tmp_path, filled_url, channels=5, deploys=2)


@pytest.mark.chaos
@pytest.mark.alone
@pytest.mark.timeout(600)
async def test_nobody_waits_two_seconds_longer_than_for_the_model(tmp_path: Path, url: str) -> None:
    """On a machine that does nothing else."""
    delays = await _delays(tmp_path, url, channels=25, deploys=10)
    print(f"{len(delays)} answers, the slowest {delays[-3:]} s beyond the model's own time")  # noqa: T201  # for whoever runs `make chaos`
    assert delays[-1] < 2


async def _delays(folder: Path, url: str, *, channels: int, deploys: int) -> list[float]:
    """Of the answers to questions that were asked all the time, in seconds, in order."""
    async with Crowd(folder, url, channels=channels) as crowd:
        async with Fleet(folder, crowd.environment, 1) as fleet:
            await fleet.ready()
            async with asyncio.TaskGroup() as group:
                talking = group.create_task(_talk(crowd))
                for _ in range(deploys):
                    await fleet.deploy()
                talking.cancel()
            await crowd.all_answered()
        await crowd.check(is_anybody_dead=False)
        return sorted(await crowd.delays())


async def _talk(crowd: Crowd) -> None:
    while True:
        await crowd.talk(2, seconds=1)
