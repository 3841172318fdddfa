"""The history of a conversation, read from its newest end at a cost that does not grow."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from storage import messages, outbox
from storage.database import Database, open_database
from storage.models import Message, MessageRole
from tests.storage import given, sql

QUIET, BUSY = 1, 2
FILL = """
    INSERT INTO message (conversation_id, seq, role, author, text, tokens, turn_id, said_at)
    SELECT {conversation}, number, 'user', 'ana', 'text', 5, 1, now()
    FROM generate_series(1, {rows}) AS number
"""
READ = """
    SELECT indexrelname AS name, idx_tup_read AS entries FROM pg_stat_user_indexes
    WHERE relname = 'message' AND idx_tup_read > 0
"""


async def _said(count: int, now: datetime, *, tokens: int = 5, first: int = 1) -> None:
    """Messages of a conversation; the text of each is its number."""
    await Message.bulk_create(
        Message(
            conversation_id=1,
            seq=seq,
            role=MessageRole.USER,
            author="ana",
            text=str(seq),
            tokens=tokens,
            turn_id=1,
            said_at=now + timedelta(seconds=seq),
        )
        for seq in range(first, first + count)
    )


async def _window(*, after_seq: int = 0, tokens: int) -> list[int]:
    return [m.seq for m in await messages.window(1, after_seq=after_seq, tokens=tokens)]


@pytest.mark.usefixtures("database")
async def test_a_window_is_the_newest_messages_that_fill_it_oldest_first(now: datetime) -> None:
    await _said(10, now)
    assert await _window(tokens=15) == [8, 9, 10]
    assert await _window(tokens=11) == [8, 9, 10]
    assert await _window(tokens=5) == [10]
    assert await _window(tokens=0) == []


@pytest.mark.usefixtures("database")
async def test_one_message_that_is_too_long_is_in_the_window_all_the_same(now: datetime) -> None:
    await _said(3, now, tokens=10_000)
    assert await _window(tokens=100) == [3]


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("count", [99, 100, 101, 200, 250])
async def test_a_window_reads_on_over_any_number_of_pages(now: datetime, count: int) -> None:
    await _said(count, now)
    assert await _window(tokens=1_000_000) == list(range(1, count + 1))


@pytest.mark.usefixtures("database")
async def test_a_window_ends_in_the_middle_of_a_later_page(now: datetime) -> None:
    await _said(300, now)
    assert await _window(tokens=5 * 150) == list(range(151, 301))


@pytest.mark.usefixtures("database")
async def test_a_window_begins_after_the_message_it_is_told(now: datetime) -> None:
    await _said(10, now)
    assert await _window(after_seq=8, tokens=1000) == [9, 10]
    assert await _window(after_seq=10, tokens=1000) == []


@pytest.mark.usefixtures("database")
async def test_the_history_of_another_conversation_is_not_in_the_window(now: datetime) -> None:
    await _said(3, now)
    assert await messages.window(2, after_seq=0, tokens=1000) == []


@pytest.mark.usefixtures("database")
async def test_an_answer_that_is_still_to_be_delivered_is_not_shown_as_history(
    now: datetime,
) -> None:
    where = await given.conversation(now)
    await given.received(where, "first", now)
    lease = await given.leased(where, now)
    await given.answered(lease, await given.opened(lease, now), now, text="answer to first")
    await given.received(where, "second", now)
    await given.answered(lease, await given.opened(lease, now), now, text="answer to second")
    first, second = await outbox.due(where.id)
    await outbox.delivered(lease, outbox_id=first.id, message_id="m1", now=now)
    shown = await messages.latest_delivered(where.id, limit=10)
    assert [m.text for m in shown] == ["text of first", "answer to first"]
    await outbox.delivered(lease, outbox_id=second.id, message_id="m2", now=now)
    shown = await messages.latest_delivered(where.id, limit=3)
    assert [m.text for m in shown] == ["answer to first", "text of second", "answer to second"]


@pytest.mark.usefixtures("database")
async def test_when_something_was_last_said_is_known(now: datetime) -> None:
    assert await messages.last_said_at(1) is None
    await _said(3, now)
    assert await messages.last_said_at(1) == now + timedelta(seconds=3)


@pytest.mark.usefixtures("database")
async def test_a_message_can_count_as_less_than_it_has(now: datetime) -> None:
    await _said(10, now, tokens=10_000)
    found = await messages.window(1, after_seq=0, tokens=100, at_most=25)
    assert [m.seq for m in found] == [7, 8, 9, 10]


async def test_a_quiet_conversation_among_busy_ones_costs_a_page(
    database: Database, url: str
) -> None:
    if database.url.dialect != "postgres":
        return  # the others have never been seen to read the table from its other end
    for conversation, rows in ((QUIET, 20_000), (BUSY, 60_000)):
        await sql.rows(database, FILL.format(conversation=conversation, rows=rows))
    await sql.rows(database, "ANALYZE message")
    await database.close()
    reading = await open_database(url)  # what the filling read is counted elsewhere
    await sql.rows(reading, "SELECT pg_stat_reset()")
    await messages.window(QUIET, after_seq=0, tokens=200)
    await sql.rows(reading, "SELECT pg_stat_force_next_flush()")
    read = await sql.rows(reading, READ)
    await reading.close()
    assert [(str(row["name"])[:20], int(str(row["entries"])) <= 100) for row in read] == [
        ("uid_message_convers_", True)
    ]


@pytest.mark.usefixtures("database")
async def test_what_other_agents_answered_at_an_address_is_found(now: datetime) -> None:
    where = [await given.conversation(now, agent=name) for name in ("support", "bills", "legal")]
    elsewhere = await given.conversation(now, agent="bills", room="other")
    for number, each in enumerate([*where, elsewhere]):
        await given.received(each, f"k{number}", now)
        lease = await given.leased(each, now)
        opened = await given.opened(lease, now)
        assert opened.is_shared == (each is not elsewhere)
        await given.answered(lease, opened, now, text=f"answer {number}")
    lease = await given.leased(where[0], now + timedelta(minutes=1))
    since = now - timedelta(seconds=1)
    others = await messages.of_others(lease, since=since, limit=9)
    assert sorted(each.text for each in others) == ["answer 1", "answer 2"]
    assert len(await messages.of_others(lease, since=since, limit=1)) == 1
    assert await messages.of_others(lease, since=now, limit=9) == []
