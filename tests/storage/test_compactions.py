"""Compactions of several histories of one place, which share its facts."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import pytest

from storage import agents, compactions
from storage.compactions import Outcome, Stretch
from storage.errors import LeaseLost, StorageError
from storage.learning import Learned
from storage.models import Conversation, Fact, Summary, Usage
from storage.side_models import Compaction, CompactionKind, Source
from storage.usage import Spent
from tests.storage import given

pytestmark = pytest.mark.usefixtures("database")

SCOPE = "terminal/main"


async def opened(now: datetime, room: str) -> tuple[Compaction, Outcome]:
    """A compaction of a history there, and what is to be kept of it."""
    where = await given.conversation(now, room=room)
    await given.received(where, room, now)
    lease = await given.leased(where, now)
    turn = await given.opened(lease, now)
    await given.answered(lease, turn, now)
    stretch = Stretch(
        conversation_id=where.id,
        agent_id=where.agent_id,
        turn_id=turn.turn.id,
        kind=CompactionKind.GROWN,
        after_seq=0,
        upto_seq=2,
    )
    row = await compactions.open_over(stretch, owner="me", now=now, seconds=15)
    assert row
    learned = Learned(text="Ana likes tea.", sources=[room])
    return row, Outcome(
        summary="Ana asked.", facts=[learned], scope=SCOPE, place=where.address, readers=""
    )


async def test_what_several_learn_at_once_is_one_fact(now: datetime) -> None:
    begun = [await opened(now, f"main/{number}") for number in range(8)]
    async with asyncio.TaskGroup() as group:
        for row, outcome in begun:
            group.create_task(compactions.finish(row, outcome, now))
    [fact] = await Fact.all()
    assert fact.uses == 7
    assert await Source.all().count() == 8


async def test_what_is_finished_is_neither_kept_nor_put_off(now: datetime) -> None:
    """Whoever was cancelled while it was finished may not know that."""
    row, outcome = await opened(now, "main/1")
    await compactions.finish(row, outcome, now)
    await compactions.put_off(row, now, has_failed=False)
    with pytest.raises(LeaseLost):
        await compactions.keep(row, now, 1)
    assert await compactions.waiting(now + timedelta(days=1), limit=9) == []


async def test_who_has_lost_it_journals_neither_words_nor_what_they_cost(now: datetime) -> None:
    row, _ = await opened(now, "main/1")
    later = now + timedelta(minutes=1)
    assert await compactions.claim(row.id, owner="another", now=later, seconds=15)
    spent = Spent(model="m", input_tokens=1, cached_tokens=0, output_tokens=1, nano_usd=1)
    with pytest.raises(LeaseLost):
        await compactions.record(row, {}, spent, step=1, now=later)
    with pytest.raises(LeaseLost):
        await compactions.try_again(row, spent, step=1, attempt=1, now=later)
    [kept] = await Compaction.all()
    assert (kept.state, kept.tries) == (row.state, 0)
    assert await Usage.all() == []


async def test_of_an_agent_that_is_removed_meanwhile_nothing_is_left(now: datetime) -> None:
    begun = [await opened(now, f"main/{number}") for number in range(4)]
    removing = asyncio.Event()

    async def finish(row: Compaction, outcome: Outcome) -> None:
        await removing.wait()
        try:
            await compactions.finish(row, outcome, now + timedelta(seconds=1))
        except StorageError:  # it is gone
            return

    async with asyncio.TaskGroup() as group:
        for each in begun:
            group.create_task(finish(*each))
        removing.set()
        await agents.remove(begun[0][0].agent_id)
    assert await Conversation.all() == []
    assert (await Summary.all(), await Fact.all(), await Source.all()) == ([], [], [])
