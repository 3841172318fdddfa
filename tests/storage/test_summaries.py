"""Where the model's view of a history begins."""

from __future__ import annotations

from datetime import datetime

import pytest

from storage import summaries
from storage.models import SummaryKind
from tests.storage import given

pytestmark = pytest.mark.usefixtures("database")


async def _added(where: int, upto_seq: int | None, now: datetime, *, text: str = "") -> int:
    row = await summaries.add(
        conversation_id=where,
        upto_seq=upto_seq,
        kind=SummaryKind.CUT,
        text=text,
        facts=[1, 2],
        now=now,
    )
    return row.upto_seq


async def test_without_a_summary_the_view_has_no_beginning(now: datetime) -> None:
    where = await given.conversation(now)
    assert await summaries.newest(where.id) is None


async def test_the_summary_that_reaches_furthest_holds(now: datetime) -> None:
    where = await given.conversation(now)
    for upto_seq, text in ((5, "a"), (9, "b"), (7, "c")):
        await _added(where.id, upto_seq, now, text=text)
    newest = await summaries.newest(where.id)
    assert newest
    assert (newest.text, newest.facts, newest.kind) == ("b", [1, 2], SummaryKind.CUT)


async def test_of_two_that_reach_equally_far_the_later_holds(now: datetime) -> None:
    where = await given.conversation(now)
    for text in ("a", "b"):
        await _added(where.id, 5, now, text=text)
    newest = await summaries.newest(where.id)
    assert newest
    assert newest.text == "b"


async def test_a_view_can_begin_after_the_newest_message(now: datetime) -> None:
    where = await given.conversation(now)
    assert await _added(where.id, None, now) == 0
    await given.received(where, "k1", now)
    lease = await given.leased(where, now)
    await given.answered(lease, await given.opened(lease, now), now)
    assert await _added(where.id, None, now) == 2
