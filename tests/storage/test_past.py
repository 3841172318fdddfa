"""What came before a turn: whether the same place has more, found by its address."""

from __future__ import annotations

from datetime import datetime

import pytest

from storage import past
from storage.database import Database
from storage.models import Conversation
from storage.past import Past, Wanted
from tests.statements import asked
from tests.storage import given, sql

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


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
async def test_it_is_found_by_the_index(now: datetime, database: Database) -> None:
    where = await given.conversation(now, room="c1")
    async with asked() as statements:
        await before(where, now)
    [looked] = [each for each in statements if "substr(address" in each]
    plan = await sql.rows(database, f"EXPLAIN QUERY PLAN {looked}")
    assert "agent_id=? AND address>? AND address<?" in str(plan)
