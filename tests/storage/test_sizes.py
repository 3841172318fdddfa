"""How much there is, on each kind of database, and how near a file is to its bounds."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from storage import agents, sizes
from storage.database import Database
from storage.models import Usage
from storage.sizes import AgentSize, Space
from tests.storage import given, sql

WEEK = timedelta(days=7)


async def spent(agent_id: int, at: datetime, nano_usd: int | None, *, step: int = 1) -> None:
    """A call of 1,000 tokens, of which 800 were cached."""
    await Usage.create(
        turn_id=agent_id,
        step=step,
        agent_id=agent_id,
        model="m",
        input_tokens=1_000,
        cached_tokens=800,
        output_tokens=50,
        nano_usd=nano_usd,
        at=at,
    )


async def test_an_empty_database_has_nothing_in_any_table(
    database: Database, now: datetime
) -> None:
    found = await sizes.measure(database, now)
    assert {each.table: each.rows for each in found.tables} == dict.fromkeys(sql.declared(), 0)
    assert found.agents == []
    assert found.bytes > 10_000


async def test_rows_are_counted_and_those_that_came_lately(
    database: Database, now: datetime
) -> None:
    for days in (0, 8):
        where = await given.conversation(now - timedelta(days=days), room=f"r{days}")
        await given.received(where, f"m{days}", now - timedelta(days=days))
    found = {each.table: each for each in (await sizes.measure(database, now - WEEK)).tables}
    assert (found["inbox"].rows, found["inbox"].lately) == (2, 1)
    assert (found["conversation"].rows, found["conversation"].lately) == (2, 1)
    assert (found["cursor"].rows, found["cursor"].lately) == (0, None)


async def test_each_agent_has_what_is_its_own(database: Database, now: datetime) -> None:
    where = await given.conversation(now)
    await given.received(where, "m1", now)
    lease = await given.leased(where, now)
    await given.answered(lease, await given.opened(lease, now), now)
    other = await agents.record(name="other", revision="r", config={}, now=now)
    await spent(where.agent_id, now, 3_000)
    await spent(where.agent_id, now - 8 * timedelta(days=1), 4_000, step=2)
    await spent(where.agent_id, now, None, step=3)
    found = await sizes.measure(database, now - WEEK)
    assert found.agents == [
        AgentSize(agent=other.name),
        AgentSize(
            agent="support",
            conversations=1,
            turns=1,
            messages=2,
            messages_lately=2,
            calls=3,
            input_tokens=3_000,
            cached_tokens=2_400,
            output_tokens=150,
            nano_usd=7_000,
            nano_usd_lately=3_000,
            unpriced=1,
        ),
    ]


@pytest.mark.parametrize(
    ("size", "free", "is_short"),
    [(1, 255, True), (1, 256, False), (300, 299, True), (300, 300, False)],
)
def test_a_disk_is_short_where_the_file_would_not_fit_a_second_time(
    size: int, free: int, is_short: bool
) -> None:
    mega = 1024**2
    space = Space(file=Path("m.db"), size=size * mega, free=free * mega, limit=10**15)
    assert space.is_disk_short == is_short


@pytest.mark.parametrize(("size", "is_near"), [(80, False), (81, True), (100, True)])
def test_a_limit_is_near_from_four_fifths_on(size: int, is_near: bool) -> None:
    assert Space(file=Path("m.db"), size=size, free=10**15, limit=100).is_limit_near == is_near


async def test_the_log_of_a_file_counts(tmp_path: Path) -> None:
    (tmp_path / "m.db").write_bytes(b"x" * 100)
    (tmp_path / "m.db-wal").write_bytes(b"x" * 11)
    space = sizes.space(tmp_path / "m.db")
    assert space.size == 111
    assert space.free > 0
    assert space.limit > 10**12
