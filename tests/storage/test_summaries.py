"""Where the model's view of a history begins."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from storage import summaries
from storage.errors import LeaseLost
from storage.lease import Lease
from storage.models import Conversation, Summary, SummaryKind
from tests.storage import given

pytestmark = pytest.mark.usefixtures("database")


async def _lease(where: Conversation, now: datetime) -> Lease:
    await given.received(where, "k1", now)
    return await given.leased(where, now)


async def _cut(lease: Lease, upto_seq: int, now: datetime, *, text: str = "") -> None:
    seen = await summaries.newest(lease.conversation_id)
    await _cut_as_seen(lease, seen, upto_seq, now, text=text)


async def _cut_as_seen(
    lease: Lease, seen: Summary | None, upto_seq: int, now: datetime, *, text: str
) -> None:
    number = seen.id if seen else None
    await summaries.cut(lease, seen=number, upto_seq=upto_seq, text=text, facts=[1, 2], now=now)


async def test_without_a_summary_the_view_has_no_beginning(now: datetime) -> None:
    where = await given.conversation(now)
    assert await summaries.newest(where.id) is None


async def test_the_summary_that_reaches_furthest_holds(now: datetime) -> None:
    where = await given.conversation(now)
    lease = await _lease(where, now)
    for upto_seq, text in ((5, "a"), (9, "b")):
        await _cut(lease, upto_seq, now, text=text)
    await Summary.create(
        conversation_id=where.id, upto_seq=7, kind=SummaryKind.CUT, text="c", facts=[], made_at=now
    )
    newest = await summaries.newest(where.id)
    assert newest
    assert (newest.text, newest.facts, newest.kind) == ("b", [1, 2], SummaryKind.CUT)


async def test_of_two_that_reach_equally_far_the_later_holds(now: datetime) -> None:
    where = await given.conversation(now)
    lease = await _lease(where, now)
    for text in ("a", "b"):
        await _cut(lease, 5, now, text=text)
    newest = await summaries.newest(where.id)
    assert newest
    assert newest.text == "b"


async def test_who_lost_the_lease_cuts_nothing(now: datetime) -> None:
    where = await given.conversation(now)
    zombie = await _lease(where, now)
    await given.leased(where, now + timedelta(minutes=1), owner="other")
    with pytest.raises(LeaseLost):
        await _cut(zombie, 5, now)
    assert await summaries.newest(where.id) is None


async def test_after_a_reset_the_view_begins_after_the_newest_message(now: datetime) -> None:
    where = await given.conversation(now)
    lease = await _lease(where, now)
    await given.answered(lease, await given.opened(lease, now), now)
    await summaries.reset(where.id, facts=[7], now=now)
    newest = await summaries.newest(where.id)
    assert newest
    assert (newest.upto_seq, newest.facts, newest.kind) == (2, [7], SummaryKind.RESET)


async def test_who_cuts_what_was_begun_anew_meanwhile_brings_nothing_back(now: datetime) -> None:
    where = await given.conversation(now)
    lease = await _lease(where, now)
    await _cut(lease, 0, now, text="a secret")
    seen = await summaries.newest(where.id)
    await summaries.reset(where.id, facts=[], now=now)
    await _cut_as_seen(lease, seen, 9, now, text="a secret")
    newest = await summaries.newest(where.id)
    assert newest
    assert (newest.kind, newest.text) == (SummaryKind.RESET, "")


async def test_who_cuts_what_was_compacted_meanwhile_leaves_the_newer_summary(
    now: datetime,
) -> None:
    where = await given.conversation(now)
    lease = await _lease(where, now)
    await _cut(lease, 5, now, text="older")
    await _cut_as_seen(lease, None, 9, now, text="")
    newest = await summaries.newest(where.id)
    assert newest
    assert (newest.upto_seq, newest.text) == (5, "older")
