"""Agents by name, and what they were configured as."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import pytest

from storage import agents
from storage.models import Agent, Revision
from tests.storage import given

pytestmark = pytest.mark.usefixtures("database")


async def _saved(revision: str, now: datetime, *, name: str = "support") -> Agent:
    return await agents.record(name=name, revision=revision, config={"prompt": revision}, now=now)


async def test_an_agent_is_found_by_its_name_and_its_id(now: datetime) -> None:
    made = await _saved("r1", now)
    assert await agents.by_id(made.id) == made
    assert await agents.by_name("support") == made
    assert await agents.by_name("sales") is None


async def test_an_agent_saved_as_it_is_stays_as_it_is(now: datetime) -> None:
    await _saved("r1", now)
    again = await _saved("r1", now + timedelta(days=1))
    assert again.updated_at == now


async def test_a_new_configuration_takes_over_and_the_earlier_ones_stay_on_record(
    now: datetime,
) -> None:
    first = await _saved("r1", now)
    second = await _saved("r2", now + timedelta(days=1))
    await _saved("r1", now + timedelta(days=2))
    assert (second.id, second.revision, second.config) == (first.id, "r2", {"prompt": "r2"})
    record = await Revision.filter(agent_id=first.id).order_by("id")
    assert [(row.fingerprint, row.config) for row in record] == [
        ("r1", {"prompt": "r1"}),
        ("r2", {"prompt": "r2"}),
    ]


async def test_all_agents_are_listed_by_name(now: datetime) -> None:
    for name in ("support", "Support", "archive"):
        await _saved("r1", now, name=name)
    assert sorted(row.name for row in await agents.everyone()) == ["Support", "archive", "support"]


async def test_many_that_make_an_agent_at_once_make_one(now: datetime) -> None:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(given.conversation(now)) for _ in range(12)]
    assert len({task.result().agent_id for task in tasks}) == 1
