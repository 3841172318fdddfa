"""Facts that are learned: with all their sources, gone with the last, never after a forgetting."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest
from tortoise.transactions import in_transaction

from storage import facts, inbox, learning, retention
from storage.database import Database
from storage.drivers.transaction import transaction
from storage.facts import Statement
from storage.learning import Learned
from storage.models import Conversation, Fact, InboxMessage, OutboxMessage, OutboxState
from storage.retention import Bounds
from storage.side_models import Source
from tests.patience import PATIENCE
from tests.storage import given, sql

pytestmark = pytest.mark.usefixtures("database")

SERVERS = ["postgres", "mysql"]  # a file has one writer
SCOPE = "terminal/main"


@pytest.fixture
async def where(now: datetime) -> Conversation:
    """A conversation in which six messages were answered: 1 to 6, a minute apart."""
    where = await given.conversation(now)
    for number in range(1, 7):
        await given.received(where, str(number), now + timedelta(minutes=number), position=number)
    later = now + timedelta(hours=1)
    lease = await given.leased(where, later)
    await given.answered(lease, await given.opened(lease, later), later)
    return where


@transaction
async def learn(
    where: Conversation, text: str, sources: Sequence[str], replaces: int | None = None
) -> None:
    learned = Learned(text=text, sources=sources, replaces=replaces)
    key = f"{text}/{await Fact.all().count()}"
    await learning.learn(learned, key=key, agent_id=where.agent_id, scope=SCOPE, place=SCOPE)


async def told(where: Conversation, text: str, now: datetime, *, source: str = "command") -> Fact:
    return await facts.add(
        Statement(
            key=text,
            agent_id=where.agent_id,
            scope=SCOPE,
            text=text,
            said_by="ana",
            source_key=source,
            said_at=now,
        )
    )


async def hold(where: Conversation) -> list[str]:
    known = await facts.current(agent_id=where.agent_id, scope=SCOPE)
    return [fact.text for fact in known]


async def test_what_is_learned_again_has_all_its_sources(
    where: Conversation, now: datetime
) -> None:
    await learn(where, "Ana likes tea.", ["1"])
    await learn(where, "Ana likes tea.", ["1", "2"])
    await inbox.withdraw("1", now)
    assert await hold(where) == ["Ana likes tea."]
    await inbox.withdraw("2", now)
    assert await hold(where) == []
    assert await Source.all() == []


async def test_a_fact_whose_newest_source_goes_is_said_by_the_next_one(
    where: Conversation, now: datetime
) -> None:
    await InboxMessage.filter(key="1").update(author="Ben", author_id="ben")
    await learn(where, "Tea is at five.", ["1", "2"])
    await inbox.withdraw("2", now)
    [fact] = await Fact.all()
    assert (fact.source_key, fact.said_by, fact.author_id) == ("1", "Ben", "ben")
    assert fact.said_at == now + timedelta(minutes=1)


async def test_what_was_told_stays_when_it_was_learned_too(
    where: Conversation, now: datetime
) -> None:
    await told(where, "Ana likes tea.", now)
    await learn(where, "Ana likes tea.", ["1"])
    await inbox.withdraw("1", now)
    assert await hold(where) == ["Ana likes tea."]


async def test_who_said_it_and_when_is_that_of_its_newest_source(
    where: Conversation, now: datetime
) -> None:
    await learn(where, "Ana likes tea.", ["3", "1", "3"])
    [fact] = await Fact.all()
    assert (fact.source_key, fact.said_by, fact.author_id) == ("3", "ana", "ana")
    assert fact.said_at == now + timedelta(minutes=3)
    assert await Source.all().count() == 2


async def test_of_three_that_took_each_others_place_the_newest_holds_alone(
    where: Conversation, now: datetime
) -> None:
    await learn(where, "in May", ["1"])
    for number, text in ((2, "in June"), (3, "in July")):
        await learn(where, text, [str(number)], replaces=(await Fact.all().order_by("-id"))[0].id)
    await inbox.withdraw("2", now)
    assert await hold(where) == ["in July"]
    oldest, newest = await Fact.all().order_by("id")
    assert oldest.superseded_by == newest.id
    assert oldest.held_until == newest.said_at
    await inbox.withdraw("3", now)
    assert await hold(where) == ["in May"]


async def test_what_was_forgotten_is_not_learned_again_from_what_said_it(
    where: Conversation, now: datetime
) -> None:
    first = await told(where, "Ana likes tea.", now, source="1")
    await learn(where, "Ben likes mate.", ["2", "3"])
    for fact in (first, await Fact.get(text="Ben likes mate.")):
        await facts.forget(fact_id=fact.id, agent_id=where.agent_id, scope=SCOPE, now=now)
    await learn(where, "Ana is fond of tea.", ["1"])
    await learn(where, "Ben is fond of mate.", ["3"])
    assert await hold(where) == []
    await learn(where, "Cleo likes rum.", ["1", "4"])
    assert [row.message_key for row in await Source.all().order_by("id")][-1:] == ["4"]
    assert await hold(where) == ["Cleo likes rum."]


async def test_and_not_from_what_says_it_in_the_same_words_unless_it_is_said_later(
    where: Conversation, now: datetime
) -> None:
    fact = await told(where, "Ana likes tea.", now)
    then = now + timedelta(minutes=3)
    await facts.forget(fact_id=fact.id, agent_id=where.agent_id, scope=SCOPE, now=then)
    await learn(where, "Ana likes tea.", ["2"])
    assert await hold(where) == []
    await learn(where, "Ana likes tea.", ["4"])
    assert await hold(where) == ["Ana likes tea."]


@pytest.mark.parametrize("url", SERVERS, indirect=True)
async def test_what_is_learned_while_its_message_is_deleted_goes_with_it(
    where: Conversation, now: datetime, database: Database
) -> None:
    """Whoever deletes waits for who learns, and sees then what was learned."""
    is_locked = asyncio.Event()

    async def delete() -> None:
        await is_locked.wait()
        await inbox.withdraw("1", now)

    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        group.create_task(delete())
        async with in_transaction():
            await Conversation.select_for_update().get(id=where.id)
            is_locked.set()
            await sql.somebody_waits(database)
            learned = Learned(text="Ana likes tea.", sources=["1"])
            await learning.learn(
                learned, key="k", agent_id=where.agent_id, scope=SCOPE, place=SCOPE
            )
    assert await Fact.all() == []


@pytest.mark.parametrize("url", SERVERS, indirect=True)
async def test_what_is_learned_while_its_message_expires_goes_with_it(
    where: Conversation, now: datetime, database: Database
) -> None:
    is_learned, later = asyncio.Event(), now + timedelta(days=9)

    async def prune() -> None:
        await is_learned.wait()
        await retention.prune(Bounds(words=later, rows=later), None)

    await OutboxMessage.all().update(state=OutboxState.DELIVERED)
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        group.create_task(prune())
        async with in_transaction():
            learned = Learned(text="Ana likes tea.", sources=["1"])
            await learning.learn(
                learned, key="k", agent_id=where.agent_id, scope=SCOPE, place=SCOPE
            )
            is_learned.set()
            await sql.somebody_waits(database)
    assert await InboxMessage.all() == []
    assert await Fact.all() == []


async def test_what_a_person_set_in_front_stays_however_much_is_learned(
    where: Conversation, now: datetime
) -> None:
    front = [(await told(where, f"front {number}", now)).id for number in range(3)]
    for number in range(210):
        await told(where, f"newer {number}", now)
    shown = await facts.shown(agent_id=where.agent_id, scope=SCOPE, front=front)
    assert [fact.id for fact in shown][:3] == front
    assert len(shown) == 203
    assert [fact.text for fact in shown][-1] == "newer 209"
    assert await facts.shown(agent_id=where.agent_id, scope="terminal/other", front=front) == []


async def test_of_more_than_are_shown_those_that_were_told_come_first(
    where: Conversation, now: datetime
) -> None:
    await told(where, "told", now)
    await Fact.bulk_create(
        Fact(
            key=f"k{number}",
            agent_id=where.agent_id,
            scope=SCOPE,
            text=f"learned {number}",
            said_by="ana",
            source_key="1",
            said_at=now,
            origin="learned",
        )
        for number in range(210)
    )
    shown = await facts.shown(agent_id=where.agent_id, scope=SCOPE, front=())
    assert len(shown) == 200
    assert shown[0].text == "told"


async def test_a_fact_that_stays_behind_keeps_no_source_of_what_has_moved(
    where: Conversation, now: datetime
) -> None:
    """Where it stays, not everybody can read that message."""
    for key in ("t1/1", "t2/1"):
        await given.received(where, key, now, position=9)
    await learn(where, "Ana likes tea.", ["t2/1"])
    await learn(where, "Ana likes tea.", ["t1/1"])
    await facts.move(agent_id=where.agent_id, scope=SCOPE, told_below="t1/", to="terminal/t1")
    assert await hold(where) == ["Ana likes tea."]
    assert [row.message_key for row in await Source.all()] == ["t2/1"]
