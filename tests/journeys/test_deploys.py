"""Rolling deploys: the old process and the new one are alive together, and nobody notices."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.journeys.crowd import Crowd
from tests.journeys.fleet import Fleet

LONG = [pytest.mark.chaos, pytest.mark.timeout(600)]


@pytest.mark.parametrize(
    ("channels", "deploys", "slowest"),
    [(5, 2, 30.0), pytest.param(25, 10, 2.0, marks=LONG)],
)
async def test_nothing_is_lost_or_doubled_and_nobody_waits(
    tmp_path: Path, url: str, channels: int, deploys: int, slowest: float
) -> None:
    """`slowest`: seconds beyond the model's own time; while the suite runs nobody can promise 2."""
    async with Crowd(tmp_path, url, channels=channels) as crowd:
        async with Fleet(tmp_path, crowd.environment, 1) as fleet:
            await fleet.ready()
            async with asyncio.TaskGroup() as group:
                talking = group.create_task(_talk(crowd))
                for _ in range(deploys):
                    await fleet.deploy()
                talking.cancel()
            await crowd.all_answered(within=60)
        await crowd.check()
        delays = sorted(await crowd.delays())
    print(f"{len(delays)} answers, the slowest {delays[-3:]} s beyond the model's own time")  # noqa: T201
    assert delays[-1] < slowest


async def _talk(crowd: Crowd) -> None:
    while True:
        await crowd.talk(2, seconds=1)
