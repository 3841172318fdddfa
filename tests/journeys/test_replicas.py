"""Replicas are killed, suspended, cut off and stopped: one answer each, in order."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.journeys import record
from tests.journeys.crowd import LEASE_SECONDS, Crowd
from tests.journeys.fleet import Fleet

LONG = [pytest.mark.chaos, pytest.mark.timeout(1800)]


@pytest.mark.parametrize(
    ("channels", "messages", "troubles"),
    [(5, 24, 5), pytest.param(20, 400, 120, marks=LONG)],
)
async def test_every_message_has_one_visible_answer(
    tmp_path: Path, url: str, channels: int, messages: int, troubles: int
) -> None:
    """Every second one of three replicas, of two on a SQLite file, is in trouble."""
    has_server = not url.startswith("sqlite")
    async with Crowd(tmp_path, url, channels=channels) as crowd:
        async with Fleet(tmp_path, crowd.environment, 2 + has_server) as fleet:
            async with asyncio.TaskGroup() as group:
                group.create_task(crowd.talk(messages, seconds=troubles))
                group.create_task(_trouble(fleet, crowd, troubles, has_server=has_server))
            await crowd.all_answered()
        await crowd.check()
        print(await record.figures())  # noqa: T201  # for whoever runs `make chaos`


async def _trouble(fleet: Fleet, crowd: Crowd, times: int, *, has_server: bool) -> None:
    """A kill every other second, and other troubles in between."""
    random, seconds = crowd.random, LEASE_SECONDS + 1
    kinds = ["suspend", "terminate", *["cut off"] * has_server]
    for second in range(times):
        await asyncio.sleep(1)
        match random.choice(kinds) if second % 2 else "kill":
            case "kill":
                await fleet.kill(random)
            case "suspend":
                await fleet.suspend(random, seconds)
            case "cut off":
                await fleet.cut_off(random, seconds)
            case _:
                await fleet.terminate(random)
