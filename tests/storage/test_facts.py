"""Facts, once each, in their scope, forgotten or superseded but never lost."""

from __future__ import annotations

import asyncio
from datetime import datetime

import pytest

from storage import facts
from storage.facts import Statement

pytestmark = pytest.mark.usefixtures("database")


def _statement(
    now: datetime,
    *,
    key: str = "k1",
    text: str = "the deadline is March 15th",
    scope: str = "terminal/main",
) -> Statement:
    return Statement(
        key=key,
        agent_id=1,
        scope=scope,
        text=text,
        said_by="ana",
        source_key="m1",
        said_at=now,
    )


async def _current() -> list[str]:
    return [fact.text for fact in await facts.current(agent_id=1, scope="terminal/main")]


async def test_facts_move_that_were_told_below_a_key(now: datetime) -> None:
    for key in ("t1/8", "t1/cmd/9", "t10/8"):
        await facts.add(_statement(now, key=key, text=key))
    await facts.add(_statement(now, key="t1/7", text="elsewhere", scope="terminal/other"))
    await facts.move(agent_id=2, scope="terminal/main", told_below="t1/", to="terminal/t1")
    assert await _current() == ["t1/8", "t1/cmd/9", "t10/8"]
    for _ in range(2):
        await facts.move(agent_id=1, scope="terminal/main", told_below="t1/", to="terminal/t1")
    assert await _current() == ["t10/8"]
    moved = await facts.current(agent_id=1, scope="terminal/t1")
    assert [fact.text for fact in moved] == ["t1/8", "t1/cmd/9"]


async def test_a_fact_is_remembered_with_its_source(now: datetime) -> None:
    made = await facts.add(_statement(now))
    found = await facts.find(fact_id=made.id, agent_id=1, scope="terminal/main")
    assert found
    assert (found.text, found.said_by, found.source_key, found.said_at) == (
        "the deadline is March 15th",
        "ana",
        "m1",
        now,
    )


async def test_the_same_key_again_is_the_same_fact(now: datetime) -> None:
    first = await facts.add(_statement(now))
    again = await facts.add(_statement(now, text="something else"))
    assert (again.id, again.text) == (first.id, first.text)


async def test_of_many_that_remember_one_fact_at_once_all_get_it(now: datetime) -> None:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(facts.add(_statement(now))) for _ in range(10)]
    assert len({task.result().id for task in tasks}) == 1


async def test_a_forgotten_fact_holds_no_more_and_is_forgotten_once(now: datetime) -> None:
    fact = await facts.add(_statement(now))
    assert await facts.forget(fact_id=fact.id, agent_id=1, scope="terminal/main", now=now)
    assert not await facts.forget(fact_id=fact.id, agent_id=1, scope="terminal/main", now=now)
    assert await _current() == []
    assert await facts.find(fact_id=fact.id, agent_id=1, scope="terminal/main")


async def test_a_newer_fact_takes_the_place_of_an_older_one(now: datetime) -> None:
    old = await facts.add(_statement(now))
    new = await facts.add(_statement(now, key="k2", text="it is March 20th"))
    done = await facts.supersede(
        fact_id=old.id, by=new.id, agent_id=1, scope="terminal/main", now=now
    )
    assert done
    assert await _current() == ["it is March 20th"]
    again = await facts.supersede(
        fact_id=old.id, by=new.id, agent_id=1, scope="terminal/main", now=now
    )
    assert not again


@pytest.mark.parametrize(("agent_id", "scope"), [(2, "terminal/main"), (1, "terminal/other")])
async def test_a_fact_of_elsewhere_is_neither_seen_nor_changed(
    now: datetime, agent_id: int, scope: str
) -> None:
    fact = await facts.add(_statement(now))
    assert await facts.current(agent_id=agent_id, scope=scope) == []
    assert await facts.find(fact_id=fact.id, agent_id=agent_id, scope=scope) is None
    assert not await facts.forget(fact_id=fact.id, agent_id=agent_id, scope=scope, now=now)
    assert not await facts.supersede(fact_id=fact.id, by=9, agent_id=agent_id, scope=scope, now=now)
    assert await _current() == ["the deadline is March 15th"]


async def test_what_a_person_told_in_one_workspace_is_not_shown_in_one_whose_id_begins_alike(
    now: datetime,
) -> None:
    for scope in ("slack/T1/C1", "slack/T10/C1", "slack/T1x"):
        await facts.add(_statement(now, key=scope, text=scope, scope=scope))
    found = await facts.told_by("ana", command="m1", below="slack/T1")
    assert [fact.text for fact in found] == ["slack/T1/C1"]
