"""Who was asked last in a thread, and what is marked there, on every database."""

from __future__ import annotations

import asyncio
from datetime import datetime

from storage import agents, conversations, inbox, threads
from storage.database import Database
from storage.drivers.transaction import transaction
from storage.inbox import NewMessage
from storage.models import Cursor
from tests.storage import sql

THREAD = "slack/T1/C1/9.5"


async def ask(
    name: str,
    position: int,
    now: datetime,
    thread: str | None = THREAD,
    quotes: list[dict[str, str]] | None = None,
) -> str:
    """A question to this agent at this position; its key."""
    agent = await agents.record(name=name, revision="r", config={}, now=now)
    conversation = await conversations.find_or_open(
        agent_id=agent.id, address="slack/T1/C1", queue="slack", author="ana", now=now
    )
    received = NewMessage(
        key=f"slack/T1/C1/{position}",
        conversation_id=conversation.id,
        position=position,
        author_id="U1",
        author="ana",
        text="hello",
        reply_to=None,
        sent_at=now,
        thread=thread,
        quotes=quotes,
    )
    await inbox.add(received, now)
    return received.key


async def test_what_a_message_refers_to_is_kept_with_it(database: Database, now: datetime) -> None:
    quotes = [{"author": "Ben", "text": "La grue est en panne"}]
    keys = [await ask("Ada", 10, now), await ask("Ada", 20, now, quotes=quotes)]
    found = [await inbox.by_key(key) for key in keys]
    assert [each and each.quotes for each in found] == [None, quotes]


async def test_who_was_asked_last_before_a_message(database: Database, now: datetime) -> None:
    for name, position in (("Ada", 10), ("Bo", 20), ("Ada", 30)):
        await ask(name, position, now)
    await ask("Cy", 15, now, thread=None)
    await ask("Cy", 16, now, thread="slack/T1/C1/9.6")
    found = [await threads.asked_last(THREAD, before=before) for before in (10, 11, 30, 31)]
    assert [asked and (asked.agent, asked.position) for asked in found] == [
        None,
        ("Ada", 10),
        ("Bo", 20),
        ("Ada", 30),
    ]
    assert found[1]
    assert found[1].sent_at == now


async def test_a_question_that_was_withdrawn_was_never_asked(
    database: Database, now: datetime
) -> None:
    await ask("Ada", 10, now)
    await inbox.withdraw(await ask("Bo", 20, now), now)
    asked = await threads.asked_last(THREAD, before=99)
    assert asked
    assert asked.agent == "Ada"


async def test_the_newest_marks_stay_and_each_is_new_once(
    database: Database, now: datetime
) -> None:
    assert [await threads.mark("left/x", at, now) for at in (5, 3, 5)] == [True, True, False]
    assert await threads.marks(["left/x", "left/y"]) == [3, 5]
    longest = 1_999_999_999_999_999_999
    for number in range(12):
        assert await threads.mark("left/x", longest + number, now)
    assert await threads.marks(["left/x"]) == [longest + number for number in range(3, 12)]
    assert not await threads.mark("left/x", 4, now)


async def test_marks_made_at_once_are_all_kept(database: Database, now: datetime) -> None:
    async with asyncio.TaskGroup() as group:
        made = [group.create_task(threads.mark("left/x", number % 4, now)) for number in range(8)]
    assert sum(each.result() for each in made) == 4
    assert await threads.marks(["left/x"]) == [0, 1, 2, 3]


async def test_a_first_mark_that_waits_for_another_first_mark_is_kept(
    database: Database, now: datetime
) -> None:
    is_made, may_end = asyncio.Event(), asyncio.Event()

    @transaction
    async def hold() -> None:
        await Cursor.create(name="left/x", position="7", moved_at=now)
        is_made.set()
        await may_end.wait()

    async with asyncio.TaskGroup() as group:
        group.create_task(hold())
        await is_made.wait()
        marking = group.create_task(threads.mark("left/x", 8, now))
        await sql.done_or_blocked(database, marking)
        may_end.set()
    assert marking.result()
    assert await threads.marks(["left/x"]) == [7, 8]
