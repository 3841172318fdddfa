"""What ended long ago goes with everything of it, and nothing else does."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

import pytest
from tortoise import Tortoise
from tortoise.backends.sqlite.client import SqliteClient
from tortoise.transactions import in_transaction

from storage import facts, inbox, messages, outbox, passages, retention, steps, turns
from storage.database import Database
from storage.derived import Passage
from storage.facts import Statement
from storage.models import (
    Conversation,
    InboxMessage,
    InboxState,
    Message,
    OutboxMessage,
    OutboxState,
    StepKind,
    Summary,
    SummaryKind,
    Turn,
    TurnState,
    Usage,
)
from storage.passages import Indexed, IndexedTurn
from storage.retention import Bounds, Pruned
from storage.steps import FinishedStep
from storage.usage import Spent
from tests.patience import PATIENCE
from tests.storage import given, power, sql
from tests.storage.power import PowerCut, cut_after

pytestmark = pytest.mark.usefixtures("database")

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
SERVERS = ["postgres", "mysql"]  # a file has one writer
SPENT = Spent(model="m", input_tokens=1, cached_tokens=0, output_tokens=1, nano_usd=5)
EVERYTHING = {
    "turns": 1,
    "messages": 2,
    "steps": 1,
    "received": 1,
    "sent": 1,
    "usage": 1,
    "feedback": 1,
    "summaries": 0,
}

Content = dict[str, list[dict[str, object]]]


async def answer(where: Conversation, key: str, now: datetime, *, delivers: bool = True) -> int:
    """The id of a turn that has everything a turn can have, ended now."""
    await given.received(where, key, now)
    lease = await given.leased(where, now)
    turn = await given.opened(lease, now)
    step = FinishedStep(
        turn_id=turn.turn.id, number=1, kind=StepKind.MODEL, content={"text": "yes"}, spent=SPENT
    )
    await steps.record(lease, step, now)
    await given.answered(lease, turn, now)
    if delivers:
        await outbox.delivered(lease, outbox_id=turn.draft.id, message_id=f"m/{key}", now=now)
    await turns.hand_over(lease, now)
    await turns.judge(turn.turn.id, person="ana", is_good=True, now=now)
    return turn.turn.id


async def prune(*, words: datetime, rows: datetime | None = None) -> Pruned:
    """Everything that is to be deleted is; without `rows`, what goes goes altogether."""
    bounds = Bounds(words=words, rows=rows or words)
    batch = await retention.prune(bounds, None)
    pruned = batch.pruned
    while batch.last:
        batch = await retention.prune(bounds, batch.last)
        pruned += batch.pruned
    return pruned


async def content(database: Database) -> Content:
    """Every row of the tables that are pruned."""
    return {
        table: await sql.rows(database, f"SELECT * FROM {sql.quoted(database, table)} ORDER BY id")  # noqa: S608  # a table of our own
        for table in ("turn", "message", "step", "inbox", "outbox", "usage", "feedback", "summary")
    }


async def test_an_answer_goes_with_everything_of_it(database: Database, now: datetime) -> None:
    await answer(await given.conversation(now), "k1", now)
    assert all((await content(database)).values()) is False
    assert (await prune(words=now + HOUR)).counts == EVERYTHING
    assert not any((await content(database)).values())


async def test_what_ended_later_stays_as_it_is(database: Database, now: datetime) -> None:
    where = await given.conversation(now)
    await answer(where, "k1", now)
    before = await content(database)
    assert (await prune(words=now)).counts == dict.fromkeys(EVERYTHING, 0)
    assert await content(database) == before


async def test_only_what_is_older_goes(database: Database, now: datetime) -> None:
    where = await given.conversation(now)
    await answer(where, "k1", now - DAY)
    old = await content(database)
    await answer(where, "k2", now)
    both = await content(database)
    assert (await prune(words=now - HOUR)).counts == EVERYTHING
    assert await content(database) == {
        table: [row for row in rows if row not in old[table]] for table, rows in both.items()
    }


async def test_what_ended_lately_loses_its_words_and_keeps_its_keys(now: datetime) -> None:
    where = await given.conversation(now)
    turn_id = await answer(where, "k1", now)
    pruned = await prune(words=now + HOUR, rows=now - HOUR)
    assert pruned == Pruned(messages=2, steps=1, received=1, sent=1)
    assert not await given.received(where, "k1", now)
    kept = await inbox.by_key("k1")
    assert kept
    assert (kept.text, kept.author, kept.attachments, kept.author_id) == ("", "", [], "ana")
    assert kept.state is InboxState.ANSWERED
    assert await Usage.filter(turn_id=turn_id).exists()
    assert await prune(words=now + HOUR, rows=now - HOUR) == Pruned()


async def test_keys_go_when_nobody_looks_back_that_far(database: Database, now: datetime) -> None:
    await answer(await given.conversation(now), "k1", now)
    await prune(words=now + HOUR, rows=now - HOUR)
    pruned = await prune(words=now + DAY)
    assert (pruned.turns, pruned.received, pruned.usage) == (1, 1, 1)
    assert not any((await content(database)).values())


async def waiting(now: datetime) -> None:
    """A question that nobody has begun to answer."""
    await given.received(await given.conversation(now), "k1", now)


async def running(now: datetime) -> None:
    """A question that is being answered: taken, with a draft."""
    where = await given.conversation(now)
    await given.received(where, "k1", now)
    await given.opened(await given.leased(where, now), now)


async def not_delivered(now: datetime) -> None:
    """An answer that waits for its platform."""
    await answer(await given.conversation(now), "k1", now, delivers=False)


async def half_delivered(now: datetime) -> None:
    """An answer in two messages, the second of which is still being sent."""
    where = await given.conversation(now)
    turn_id = await answer(where, "k1", now)
    await OutboxMessage.create(
        key="part 2",
        conversation_id=where.id,
        turn_id=turn_id,
        part=2,
        state=OutboxState.SENDING,
        text="more",
    )


@pytest.mark.parametrize("begin", [waiting, running, not_delivered, half_delivered])
async def test_what_is_not_at_its_end_stays_however_old_it_is(
    database: Database, now: datetime, begin: Callable[[datetime], Awaitable[None]]
) -> None:
    await begin(now)
    before = await content(database)
    assert await prune(words=now + 1000 * DAY) == Pruned()
    assert await retention.prune_withdrawn(now + 1000 * DAY) == 0
    assert await content(database) == before


async def test_an_ended_turn_with_an_open_question_stays(database: Database, now: datetime) -> None:
    await answer(await given.conversation(now), "k1", now)
    await InboxMessage.filter(key="k1").update(state=InboxState.TAKEN)
    before = await content(database)
    assert await prune(words=now + DAY) == Pruned()
    assert await content(database) == before


async def test_counting_says_what_goes_and_changes_nothing(
    database: Database, now: datetime
) -> None:
    where = await given.conversation(now)
    for number in range(3):
        await answer(where, f"k{number}", now + number * HOUR)
        await _cut(where, 2 * number + 2, now + number * HOUR)
    before = await content(database)
    bounds = Bounds(words=now + 2 * HOUR, rows=now + HOUR)
    counted = (await retention.count(bounds, None)).pruned
    assert await content(database) == before
    assert (await retention.prune(bounds, None)).pruned == counted
    assert counted.counts == {name: 2 * n for name, n in EVERYTHING.items()} | {
        "turns": 1,
        "usage": 1,
        "feedback": 1,
        "summaries": 2,
    }


async def _many(number: int, ended_at: datetime, *, begin: int = 1) -> None:
    """That many turns that ended at the same moment."""
    where = await given.conversation(ended_at)
    await Turn.bulk_create(
        Turn(
            conversation_id=where.id,
            number=begin + each,
            state=TurnState.DONE,
            revision="r1",
            opened_at=ended_at,
            ended_at=ended_at,
        )
        for each in range(number)
    )


async def test_a_transaction_is_bounded_and_the_next_goes_on(now: datetime) -> None:
    await _many(120, now)
    bounds = Bounds(words=now + HOUR, rows=now + HOUR)
    first = await retention.prune(bounds, None)
    assert first.last
    assert 0 < first.pruned.turns < 120
    second = await retention.prune(bounds, first.last)
    assert second.last is None
    assert await Turn.all().count() == 0


async def test_what_stays_does_not_stand_in_the_way(now: datetime) -> None:
    await _many(120, now)
    kept = {turn.id for turn in await Turn.all().order_by("id").limit(110)}
    where = await given.conversation(now)
    due = [
        OutboxMessage(
            key=f"o{turn_id}",
            conversation_id=where.id,
            turn_id=turn_id,
            part=1,
            state=OutboxState.DUE,
            text="",
        )
        for turn_id in kept
    ]
    async with in_transaction():
        await where.save()  # as whatever makes an answer due
        await OutboxMessage.bulk_create(due)
    await _many(50, now + HOUR, begin=121)
    counted = Pruned()
    batch = await retention.count(Bounds(words=now + DAY, rows=now + DAY), None)
    while batch.last:
        counted += batch.pruned
        batch = await retention.count(Bounds(words=now + DAY, rows=now + DAY), batch.last)
    assert await prune(words=now + DAY) == counted + batch.pruned == Pruned(turns=60)
    assert {turn.id for turn in await Turn.all()} == kept


async def test_who_told_a_fact_stays_known(now: datetime) -> None:
    where = await given.conversation(now)
    await answer(where, "k1", now)
    fact = await _told(where, "k1", now)
    assert (await prune(words=now + DAY)).counts == EVERYTHING | dict.fromkeys(
        ("turns", "usage", "feedback"), 0
    )
    assert await facts.told_by("ana", command="", below="terminal") == [fact]
    source = await inbox.by_key("k1")
    assert source
    assert source.text == ""


async def _told(where: Conversation, key: str, now: datetime) -> object:
    return await facts.add(
        Statement(
            key="f1",
            agent_id=where.agent_id,
            scope="terminal/main",
            text="ana likes tea",
            said_by="ana",
            source_key=key,
            said_at=now,
        )
    )


async def _cut(
    where: Conversation, upto_seq: int, now: datetime, *, kind: SummaryKind = SummaryKind.CUT
) -> int:
    cut = await Summary.create(
        conversation_id=where.id,
        upto_seq=upto_seq,
        kind=kind,
        text=f"what was said up to {upto_seq}",
        facts=[],
        made_at=now,
    )
    return cut.id


async def test_the_newest_summary_stays_and_what_it_replaced_goes(now: datetime) -> None:
    where, other = await given.conversation(now), await given.conversation(now, room="other")
    for here in (where, other):
        await answer(here, f"{here.id}", now)
    old, newest = await _cut(where, 1, now), await _cut(where, 2, now)
    elsewhere = await _cut(other, 1, now)
    assert (await prune(words=now + HOUR)).summaries == {old}
    assert {row.id for row in await Summary.all()} == {newest, elsewhere}


async def test_the_newest_reset_stays_however_often_was_cut_since(now: datetime) -> None:
    where = await given.conversation(now)
    await answer(where, "k1", now)
    old, reset = [await _cut(where, seq, now, kind=SummaryKind.RESET) for seq in (1, 2)]
    cut, newest = [await _cut(where, seq, now) for seq in (3, 4)]
    assert (await prune(words=now + HOUR)).summaries == {old, cut}
    assert {row.id for row in await Summary.all()} == {reset, newest}


async def test_a_summary_from_before_a_reset_goes(now: datetime) -> None:
    where = await given.conversation(now)
    await answer(where, "k1", now)
    cut = await _cut(where, 1, now)
    reset = await _cut(where, 2, now, kind=SummaryKind.RESET)
    assert (await prune(words=now + HOUR)).summaries == {cut}
    assert [row.id for row in await Summary.all()] == [reset]


async def test_a_summary_made_lately_stays(now: datetime) -> None:
    where = await given.conversation(now)
    await answer(where, "k1", now - DAY)
    for upto_seq in (1, 2):
        await _cut(where, upto_seq, now)
    assert (await prune(words=now - HOUR)).summaries == frozenset()
    assert await Summary.all().count() == 2


async def test_withdrawn_messages_go_when_their_keys_protect_nothing(now: datetime) -> None:
    where = await given.conversation(now)
    for key, at in (("old", now - DAY), ("new", now)):
        await given.received(where, key, at)
        await inbox.withdraw(key, now)
    await given.received(where, "waits", now - DAY)
    assert await retention.count_withdrawn(now - HOUR) == 1
    assert await retention.prune_withdrawn(now - HOUR) == 1
    assert await retention.prune_withdrawn(now - HOUR) == 0
    assert {row.key for row in await InboxMessage.all()} == {"new", "waits"}


async def test_a_history_goes_on_where_it_was(now: datetime) -> None:
    where = await given.conversation(now)
    await answer(where, "k1", now)
    await prune(words=now + HOUR)
    await answer(where, "k2", now + DAY)
    window = await messages.window(where.id, after_seq=0, tokens=1000)
    assert [entry.seq for entry in window] == [3, 4]
    assert [turn.number for turn in await Turn.all()] == [2]


async def test_a_power_cut_leaves_a_batch_as_it_was(database: Database, now: datetime) -> None:
    where = await given.conversation(now)
    for number in range(2):
        await answer(where, f"k{number}", now + number * DAY)
        await _cut(where, number, now)
    bounds = Bounds(words=now + 2 * DAY, rows=now + HOUR)
    before = await content(database)
    statements = 0
    while await _is_cut(bounds, statements):
        assert await content(database) == before
        statements += 1
    assert statements > 10
    assert not await Message.exists()
    assert await Turn.all().count() == 1


async def _is_cut(bounds: Bounds, statements: int) -> bool:
    try:
        with cut_after(statements):
            await retention.prune(bounds, None)
    except PowerCut:
        return True
    return False


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
async def test_nothing_is_looked_for_without_an_index(database: Database, now: datetime) -> None:
    where = await given.conversation(now)
    for number in range(2):
        await answer(where, f"k{number}", now + number * DAY)
        await _cut(where, number, now)
    bounds = Bounds(words=now + 2 * DAY, rows=now + HOUR)
    with _statements() as made:
        batch = await retention.prune(bounds, None)
        await retention.prune(bounds, retention.Ended(id=1, conversation_id=1, ended_at=now))
        await retention.expire(now + DAY, 0)
        await retention.prune_withdrawn(now + DAY)
        await retention.count_withdrawn(now + DAY)
    assert batch.pruned.turns == 1
    plans = [await _plan(database, *each) for each in made if "WHERE 1=0" not in each[0]]
    assert len(plans) > 20
    assert [plan for plan in plans if re.search(r"\bSCAN\b", plan)] == []


@contextmanager
def _statements() -> Iterator[list[tuple[str, list[object]]]]:
    """What SQLite is told meanwhile, with its values."""
    made: list[tuple[str, list[object]]] = []

    def heard(statement: power.Statement) -> power.Statement:
        async def make(self: object, query: str, values: list[object] | None = None) -> object:
            made.append((query, values or []))
            return await statement(self, query, values)

        return make

    with pytest.MonkeyPatch.context() as patch:
        for name in ("execute_query", "execute_query_dict"):
            patch.setattr(SqliteClient, name, heard(getattr(SqliteClient, name)))
        yield made


async def _plan(database: Database, statement: str, values: list[object]) -> str:
    connection = Tortoise.get_connection(database.url.dialect)
    rows = await connection.execute_query_dict(f"EXPLAIN QUERY PLAN {statement}", values)
    return f"{statement}: " + "; ".join(str(row["detail"]) for row in rows)


async def test_a_summary_that_was_made_after_all_it_stands_for_expires_too(now: datetime) -> None:
    """Also when its turns were deleted before it was as old."""
    where = await given.conversation(now)
    await answer(where, "k1", now)
    await Summary.create(
        conversation_id=where.id,
        upto_seq=2,
        kind=SummaryKind.CUT,
        text="Ana asked.",
        facts=[],
        made_at=now + HOUR,
    )
    await prune(words=now + HOUR)
    assert await retention.expire(now + HOUR, 0) == 0
    assert await Turn.all() == []
    assert [each.text for each in await Summary.all()] == ["Ana asked."]
    last = await retention.expire(now + 2 * HOUR, 0)
    assert await retention.expire(now + 2 * HOUR, last) == 0
    assert [each.text for each in await Summary.all()] == [""]


@pytest.mark.parametrize("url", SERVERS, indirect=True)
async def test_what_is_indexed_while_it_expires_goes_with_it(
    now: datetime, database: Database
) -> None:
    where = await given.conversation(now)
    turn_id = await answer(where, "k1", now)
    is_indexed = asyncio.Event()

    async def expire() -> None:
        await is_indexed.wait()
        await prune(words=now + HOUR)

    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        group.create_task(expire())
        async with in_transaction():
            said = Indexed(seq=1, part=0, author="ana", words="otter")
            turn = IndexedTurn(conversation_id=where.id, turn_id=turn_id, readers="", found=[said])
            assert await passages.index([turn])
            is_indexed.set()
            await sql.somebody_waits(database)
    assert await Message.all() == []
    assert await Passage.all() == []
