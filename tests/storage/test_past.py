"""What came before a turn: whether the same place has more, found by its address."""

from __future__ import annotations

import re
from datetime import datetime

import pytest

from storage import passages, past
from storage.database import Database
from storage.drivers.script import Script, Statement, reading_script, rows
from storage.models import Conversation
from storage.past import Past, Wanted
from tests.storage import given, sql

# What lets it count its rows, what it tells its plan by, and that it looks between two addresses.
BY_INDEX = {
    "sqlite": ("ANALYZE", "EXPLAIN QUERY PLAN", r"address>\? AND address<\?"),
    "postgres": ("ANALYZE", "EXPLAIN", r"Index Cond: .*address.*terminal/c1.*terminal/c10"),
    "mysql": ("ANALYZE TABLE conversation", "EXPLAIN", "'range'"),
}

pytestmark = pytest.mark.usefixtures("database")


async def before(where: Conversation, now: datetime) -> Past:
    await given.received(where, "k", now)
    lease = await given.leased(where, now)
    wanted = Wanted(scope=where.address, tokens=1_000, at_most=1_000, has_others=True)
    return await past.read(lease, wanted)


@pytest.mark.parametrize(
    ("room", "is_there"),
    [
        ("c1/7", True),
        ("c1/thread/8", True),
        ("c10", False),
        ("c1-2", False),
        ("C1/7", False),
        ("c", False),
    ],
)
async def test_what_was_said_at_or_below_the_same_address_is_there(
    now: datetime, room: str, is_there: bool
) -> None:
    where = await given.conversation(now, room="c1")
    other = await given.conversation(now, room=room)
    await Conversation.filter(id=other.id).update(last_seq=1)
    assert (await before(where, now)).has_sibling is is_there


@reading_script
def plan(asked: Statement, explain: str) -> Script[str]:
    """How the database would find this."""
    lines = yield from rows(f"{explain} {asked.text}", *asked.values)
    return "\n".join(str(tuple(line)) for line in lines)


@pytest.mark.parametrize("is_counted", [True, False])
async def test_among_many_conversations_it_is_found_by_the_index(
    now: datetime, database: Database, *, is_counted: bool
) -> None:
    """Also in the first minute of a server that has not counted its rows yet."""
    where = await given.conversation(now, room="c1")
    told = {"agent_id": where.agent_id, "queue": "q", "opened_by": "ana", "created_at": now}
    others = [Conversation(**told, address=f"terminal/d{number}") for number in range(2_000)]
    await Conversation.bulk_create(others)
    dialect = database.url.dialect
    analyse, explain, found = BY_INDEX[dialect]
    if is_counted:
        await sql.rows(database, analyse)
    (asked,) = next(passages.has_sibling(dialect, where.agent_id, where.id, where.address))
    assert re.search(found, await plan(asked, explain))
