"""Verbs as scripts: constant statements that match the models, one transaction, never torn."""

from __future__ import annotations

import asyncio
import pkgutil
import re
from contextlib import suppress
from datetime import datetime
from importlib import import_module

import pytest
from tortoise.exceptions import IntegrityError

import storage
from storage.database import Database
from storage.drivers.script import (
    Made,
    NothingChanged,
    Script,
    adding,
    at_once,
    changed,
    changing,
    in_dialect,
    insert,
    needing,
    reading_script,
    rows,
    script,
    together,
)
from storage.drivers.transaction import transaction
from storage.lease import held
from storage.models import Agent, Conversation, Step
from tests.statements import asked
from tests.storage import given, sql

_PREPARED = {
    "sqlite": "EXPLAIN {}",
    "postgres": "PREPARE tried AS {}",
    "mysql": "EXPLAIN {}",
}


def constants() -> dict[str, dict[str, str]]:
    """The constant statements of the verbs, by file and name, each by database."""
    found = {}
    for each in pkgutil.iter_modules(storage.__path__, "storage."):
        for name, value in vars(import_module(each.name)).items():
            texts = dict.fromkeys(_PREPARED, value) if isinstance(value, str) else value
            if isinstance(texts, dict) and all(map(_is_statement, texts.values())):
                found[f"{each.name}{name}"] = texts
    return found


def _is_statement(text: object) -> bool:
    return isinstance(text, str) and bool(re.match(r"(SELECT|UPDATE|INSERT) .*\?", text))


@pytest.mark.parametrize("where", sorted(constants()))
async def test_a_constant_statement_matches_the_schema(database: Database, where: str) -> None:
    dialect = database.url.dialect
    if not (text := constants()[where].get(dialect)):
        return  # there it is asked in another way
    statement = in_dialect(text.replace("({})", "(?)").replace("{}", "IN (?)"), dialect)
    if dialect != "postgres":
        statement = re.sub(r"\?|%s", "NULL", re.sub(r"LIMIT (\?|%s)", "LIMIT 1", statement))
    await sql.rows(database, _PREPARED[dialect].format(statement))


@script
def _halves(where: int, number: int, *, fails: bool = False) -> Script[None]:
    """Two writes of which one alone would be wrong."""
    yield from changed("UPDATE conversation SET last_seq = ? WHERE id = ?", number, where)
    if fails:
        raise ValueError
    yield from changed("UPDATE conversation SET last_turn = ? WHERE id = ?", number, where)


@reading_script
def _both(where: int) -> Script[tuple[int, int]]:
    found = yield from rows("SELECT last_seq, last_turn FROM conversation WHERE id = ?", where)
    return found[0][0], found[0][1]


async def test_a_script_that_fails_leaves_nothing(database: Database, now: datetime) -> None:
    where = await given.conversation(now)
    with pytest.raises(ValueError):  # noqa: PT011  # its own
        await _halves(where.id, 7, fails=True)
    assert await _both(where.id) == (0, 0)
    await _halves(where.id, 7)
    assert await _both(where.id) == (7, 7)


@script
def _talks(agent_id: int, *rooms: str, now: datetime) -> Script[list[int]]:
    """New conversations; the last agent's id is that of the conversation before it."""
    rows = [
        {
            "agent_id": agent_id,
            "address": room,
            "queue": "q",
            "opened_by": "ana",
            "readers": "",
            "last_seq": 0,
            "last_turn": 0,
            "token": 0,
            "created_at": now,
        }
        for room in rooms
    ]
    *others, last = rows
    return (
        yield from together(
            changing("UPDATE conversation SET last_seq = last_seq + ?", 1),
            *(adding(Conversation, each) for each in others),
            adding(Conversation, {**last, "agent_id": Made(len(others))}),
        )
    )


async def test_what_is_done_together_tells_what_it_changed_and_made(
    database: Database, now: datetime
) -> None:
    where = await given.conversation(now)
    changed, first, second = await _talks(where.agent_id, "a", "b", now=now)
    rows = {row.id: row for row in await Conversation.all()}
    assert (changed, set(rows)) == (1, {where.id, first, second})
    assert [rows[each].address for each in (first, second)] == ["a", "b"]
    assert (rows[second].agent_id, rows[where.id].last_seq) == (first, 1)


async def test_what_is_done_together_is_done_as_a_whole(database: Database, now: datetime) -> None:
    where = await given.conversation(now)
    with pytest.raises(IntegrityError):
        await _talks(where.agent_id, where.address, "b", now=now)
    assert [row.last_seq for row in await Conversation.all()] == [0]


@pytest.mark.parametrize("url", ["postgres"], indirect=True)
async def test_it_is_one_statement_where_that_saves_questions(
    database: Database, now: datetime
) -> None:
    where = await given.conversation(now)
    async with asked() as statements:
        await _talks(where.agent_id, "a", "b", now=now)
    assert (len(statements), statements.transactions) == (1, 1)


@at_once
def _renamed(where: int, name: str, *, more: int = 0) -> Script[list[int]]:
    """Changes two tables, and needs the conversation; `more` asks for as many values again."""
    named, renamed = "UPDATE agent SET name = ?", "UPDATE conversation SET queue = ? WHERE id = ?"
    others = [changing("UPDATE message SET seq = seq + ?", 0) for _ in range(more)]
    return (yield from together(changing(named, name), needing(renamed, name, where), *others))


@pytest.mark.parametrize("more", [0, 1_001])
async def test_without_a_row_that_it_needs_nothing_of_a_script_is_done(
    database: Database, now: datetime, more: int
) -> None:
    where = await given.conversation(now)
    with pytest.raises(NothingChanged):
        await _renamed(where.id + 1, "bob", more=more)
    assert (await Agent.get()).name == "support"
    assert await _renamed(where.id, "bob", more=more) == [1, 1, *[0] * more]
    assert (await Agent.get()).name == (await Conversation.get()).queue == "bob"


@pytest.mark.parametrize("url", ["postgres"], indirect=True)
async def test_what_is_done_at_once_is_a_transaction_without_a_word_about_it(
    database: Database, now: datetime
) -> None:
    where = await given.conversation(now)
    async with asked() as statements:
        await _renamed(where.id, "bob")
    assert (len(statements), statements.transactions) == (1, 0)


async def test_a_cancelled_task_tears_no_script(database: Database, now: datetime) -> None:
    where = await given.conversation(now)
    for number in range(1, 20):
        task = asyncio.create_task(_halves(where.id, number))  # noqa: TID251  # to be cancelled
        for _ in range(number):
            await asyncio.sleep(0)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        ended, other = await _both(where.id)
        assert ended == other


async def test_a_script_within_a_transaction_is_part_of_it(
    database: Database, now: datetime
) -> None:
    where = await given.conversation(now)

    @transaction
    async def outer() -> None:
        await _halves(where.id, 7)
        raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011  # its own
        await outer()
    assert (await Conversation.get(id=where.id)).last_seq == 0


async def test_who_holds_a_lease_locks_its_conversation_and_writes_nothing(
    database: Database, now: datetime
) -> None:
    where = await given.conversation(now)
    await given.received(where, "one", now)
    lease = await given.leased(where, now)
    before = await Conversation.get(id=where.id)

    @script
    def look() -> Script[int]:
        return (yield from held(lease)).token

    assert await look() == lease.token
    after = await Conversation.get(id=where.id)
    assert after.ready_at == before.ready_at


async def test_a_statement_is_written_as_each_database_reads_it() -> None:
    text = insert(Step, ("turn_id", "number"), 2)
    assert in_dialect(text, "sqlite") == text
    assert in_dialect(text, "postgres").endswith("VALUES ($1, $2), ($3, $4)")
    assert in_dialect(text, "mysql").endswith("(`turn_id`, `number`) VALUES (%s, %s), (%s, %s)")
