"""A deploy runs the version before on the schema after: both together lose and double nothing."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.journeys import earlier, record
from tests.journeys.crowd import Crowd
from tests.journeys.fleet import Fleet

SCHEMA = "storage/migrations/0*.py"
PROTOCOL = "storage/*.py"
LONG = [pytest.mark.chaos, pytest.mark.timeout(900)]


@pytest.mark.parametrize(
    ("differs_in", "messages", "kills"),
    [
        (SCHEMA, 8, 1),
        pytest.param(SCHEMA, 150, 30, marks=LONG),
        pytest.param(PROTOCOL, 150, 30, marks=LONG),
    ],
)
async def test_every_message_has_one_visible_answer(
    tmp_path: Path, url: str, differs_in: str, messages: int, kills: int
) -> None:
    """One of each version, or more of one of them; one at a time is killed."""
    start = earlier.both(earlier.checkout(tmp_path, differs_in=differs_in))
    async with Crowd(tmp_path, url, channels=4) as crowd:
        async with Fleet(tmp_path, crowd.environment, 2, start) as fleet:
            await fleet.ready()
            async with asyncio.TaskGroup() as group:
                group.create_task(crowd.talk(messages, seconds=2 * kills))
                group.create_task(_killed(fleet, crowd, kills))
            await crowd.all_answered()
            await fleet.ready()  # who is just starting does not hear yet that it should stop
        await crowd.check(may_give_up=True)  # as the earlier version did where processes died
        print(await record.figures())  # noqa: T201  # for whoever runs `make chaos`


async def _killed(fleet: Fleet, crowd: Crowd, times: int) -> None:
    for _ in range(times):
        await asyncio.sleep(2)
        await fleet.kill(crowd.random)
