"""Agents by name, and what they were configured as."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import pytest

from storage import agents, bindings, conversations, facts, inbox
from storage.conversations import Place, Removed
from storage.database import Database
from storage.facts import Statement
from storage.inbox import Changed
from storage.models import Agent, Conversation, InboxMessage, Revision
from tests.storage import given, sql

pytestmark = pytest.mark.usefixtures("database")


Content = dict[str, list[dict[str, object]]]


async def content(database: Database) -> Content:
    """Every row that may belong to an agent."""
    tables = (
        *("agent", "revision", "conversation", "message", "inbox", "turn", "step", "outbox"),
        *("usage", "feedback", "fact", "summary", "binding"),
    )
    return {
        table: await sql.rows(database, f"SELECT * FROM {sql.quoted(database, table)} ORDER BY id")  # noqa: S608  # a table of our own
        for table in tables
    }


async def _saved(revision: str, now: datetime, *, name: str = "support") -> Agent:
    return await agents.record(name=name, revision=revision, config={"prompt": revision}, now=now)


async def test_an_agent_is_found_by_its_name_and_its_id(now: datetime) -> None:
    made = await _saved("r1", now)
    assert await agents.by_id(made.id) == made
    assert await agents.by_name("support") == made
    assert await agents.by_name("sales") is None


async def test_an_agent_saved_as_it_is_stays_as_it_is(now: datetime) -> None:
    await _saved("r1", now)
    again = await _saved("r1", now + timedelta(days=1))
    assert again.updated_at == now


async def test_a_new_configuration_takes_over_and_the_earlier_ones_stay_on_record(
    now: datetime,
) -> None:
    first = await _saved("r1", now)
    second = await _saved("r2", now + timedelta(days=1))
    await _saved("r1", now + timedelta(days=2))
    assert (second.id, second.revision, second.config) == (first.id, "r2", {"prompt": "r2"})
    record = await Revision.filter(agent_id=first.id).order_by("id")
    assert [(row.fingerprint, row.config) for row in record] == [
        ("r1", {"prompt": "r1"}),
        ("r2", {"prompt": "r2"}),
    ]


async def test_all_agents_are_listed_by_name(now: datetime) -> None:
    for name in ("support", "Support", "archive"):
        await _saved("r1", now, name=name)
    assert sorted(row.name for row in await agents.everyone()) == ["Support", "archive", "support"]


async def test_many_that_make_an_agent_at_once_make_one(now: datetime) -> None:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(given.conversation(now)) for _ in range(12)]
    assert len({task.result().agent_id for task in tasks}) == 1


async def _talk(agent: str, key: str, now: datetime) -> int:
    """The agent's id, with an answer, an open question, a fact and a binding of it."""
    where = await given.conversation(now, agent=agent, room=agent)
    await given.received(where, key, now)
    lease = await given.leased(where, now)
    await given.answered(lease, await given.opened(lease, now), now)
    await given.received(where, f"{key} again", now, position=2)
    statement = Statement(
        key=key,
        agent_id=where.agent_id,
        scope=where.address,
        text="it rains",
        said_by="ana",
        source_key=key,
        said_at=now,
    )
    await facts.add(statement)
    await bindings.bind(
        at=where.address, agent=agent, listen="all", conversation="", made_by="ana", now=now
    )
    return where.agent_id


async def test_what_an_agent_has_is_counted(now: datetime) -> None:
    support = await _talk("support", "q1", now)
    await _talk("sales", "q2", now)
    assert await agents.belongings(support) == agents.Belongings(
        conversations=1, messages=2, facts=1
    )


async def test_nothing_is_stored_for_an_agent_that_was_removed(now: datetime) -> None:
    where = await given.conversation(now)
    await agents.remove(where.agent_id)
    with pytest.raises(Changed):
        await given.received(where, "late", now)
    with pytest.raises(Removed):
        await conversations.find_or_open(
            agent_id=where.agent_id, address="terminal/x", queue="terminal/x", author="ana", now=now
        )
    place = Place(agent_id=where.agent_id, address="terminal/x", queue="terminal/x")
    first = inbox.NewMessage(
        key="first",
        conversation_id=0,
        position=1,
        author_id="ana",
        author="ana",
        text="text",
        reply_to=None,
        sent_at=now,
    )
    with pytest.raises(Removed):
        await inbox.add_first(first, now, place=place)
    assert (await InboxMessage.all().count(), await Conversation.all().count()) == (0, 0)


async def test_an_agent_is_removed_with_all_that_is_of_it_and_nothing_else(
    database: Database, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _talk("sales", "q2", now)
    before = await content(database)
    support = await _talk("support", "q1", now)
    monkeypatch.setattr("storage.agents._MOST", 1)
    await agents.remove(support)
    assert await content(database) == before


async def test_a_removal_that_was_cut_off_is_finished_by_the_next(
    database: Database, now: datetime
) -> None:
    before = await content(database)
    support = await _talk("support", "q1", now)
    await agents._remove_turns(support)
    assert await agents.by_name("support")
    await agents.remove(support)
    assert await content(database) == before
