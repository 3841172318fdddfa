"""The traps of transactions: torn, deferred, conflicting, and borrowed by other tasks."""

from __future__ import annotations

import ast
import asyncio
import random
from contextlib import nullcontext, suppress
from datetime import datetime

import pytest
from asyncmy.errors import MySQLError
from tortoise.exceptions import IntegrityError, OperationalError
from tortoise.transactions import in_transaction

from storage import agents, conversations
from storage.database import Database, open_database
from storage.drivers.transaction import reading, to_the_end, transaction, translate
from storage.errors import DatabaseBusy, DatabaseUnusable, Unstorable
from storage.models import Agent, Conversation
from tests.conftest import SERVERS
from tests.databases import execute
from tests.forked import ROOT, Ended
from tests.patience import PATIENCE
from tests.storage import given, processes, sql

COUNT = """
import asyncio, sys
from storage.database import open_database
from storage.models import Conversation
from storage.drivers.transaction import transaction

@transaction
async def count(where):
    row = await Conversation.get(id=where)
    await Conversation.filter(id=where).update(last_seq=row.last_seq + 1)

async def main():
    database = await open_database(sys.argv[1])
    print("ready", flush=True)
    sys.stdin.readline()
    for _ in range(100):
        await count(int(sys.argv[2]))
    await database.close()

asyncio.run(main())
"""

DROP = {
    "postgres": "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'",
    "mysql": "BEGIN NOT ATOMIC FOR one IN"
    " (SELECT id FROM information_schema.processlist WHERE db = '{name}')"
    " DO KILL one.id; END FOR; END",
}


@transaction
async def _halves(where: int, number: int, now: datetime) -> None:
    """Two writes of which one alone would be wrong."""
    await Conversation.filter(id=where).update(last_seq=number)
    await asyncio.sleep(0)
    await Conversation.filter(id=where).update(last_turn=number)


@transaction
async def _two_agents(
    first: str, second: str, both: asyncio.Barrier, tries: list[str], *, is_nested: bool
) -> None:
    """Locks one row, waits until somebody has locked the other one, and wants that too."""
    tries.append(first)
    await Agent.filter(name=first).update(revision="mine")
    if len(tries) <= 2:
        await both.wait()
    async with in_transaction() if is_nested else nullcontext():
        await Agent.filter(name=second).update(revision="mine")


@pytest.mark.parametrize("times", [150, pytest.param(500, marks=pytest.mark.chaos)])
async def test_tasks_cancelled_at_any_moment_tear_no_transaction(
    database: Database, now: datetime, times: int
) -> None:
    where = await given.conversation(now)
    dice = random.Random(7)  # noqa: S311  # chance, no secret
    for _ in range(times):
        tasks = [
            asyncio.get_running_loop().create_task(_halves(where.id, number, now))
            for number in range(3)
        ]
        await asyncio.sleep(dice.random() * 0.003)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    async with asyncio.timeout(PATIENCE):
        row = await conversations.find(agent_id=where.agent_id, address=where.address)
        await _halves(where.id, 9, now)
    assert row
    assert row.last_seq == row.last_turn


async def test_a_cancelled_task_learns_it_when_its_transaction_has_ended(
    database: Database, now: datetime
) -> None:
    where = await given.conversation(now)
    task = asyncio.get_running_loop().create_task(_halves(where.id, 7, now))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    row = await conversations.find(agent_id=where.agent_id, address=where.address)
    assert row
    assert (row.last_seq, row.last_turn) == (7, 7)


async def test_what_a_cancelled_task_would_have_raised_is_reported_to_nobody() -> None:
    """From Python 3.14 on, a shield logs it with its traceback."""
    loop, reported, goes_on = asyncio.get_running_loop(), list[object](), asyncio.Event()
    loop.set_exception_handler(lambda _, context: reported.append(context))

    async def failing() -> None:
        await goes_on.wait()
        raise Unstorable("so")

    caller = loop.create_task(to_the_end(loop.create_task(failing())))
    await asyncio.sleep(0)
    caller.cancel()
    await asyncio.sleep(0)
    goes_on.set()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert reported == []


async def test_processes_that_read_and_then_write_to_a_file_wait_for_each_other(
    sqlite: Database, now: datetime
) -> None:
    where = await given.conversation(now)
    counting = [
        await processes.start(COUNT, f"sqlite://{sqlite.file}", str(where.id)) for _ in range(2)
    ]
    for process in counting:
        await process.stdout.readline()
    async with asyncio.TaskGroup() as group:
        ends = [group.create_task(process.ended()) for process in counting]
    assert [end.result() for end in ends] == [Ended(code=0, out="", err="")] * 2
    row = await conversations.find(agent_id=where.agent_id, address=where.address)
    assert row
    assert row.last_seq == 200


@pytest.mark.parametrize("is_nested", [False, True])
async def test_a_deadlock_is_tried_again(
    database: Database, now: datetime, *, is_nested: bool
) -> None:
    """Also where Tortoise has set a savepoint, which MySQL's own rollback takes away."""
    if database.url.dialect == "sqlite":
        return  # it has one writer: nothing can be locked the other way round
    for name in ("a", "b"):
        await agents.record(name=name, revision="r1", config={}, now=now)
    both, tries = asyncio.Barrier(2), list[str]()
    async with asyncio.TaskGroup() as group:
        group.create_task(_two_agents("a", "b", both, tries, is_nested=is_nested))
        group.create_task(_two_agents("b", "a", both, tries, is_nested=is_nested))
    assert len(tries) > 2  # a busy server may let the same deadlock come about once more
    assert {row.revision for row in await agents.everyone()} == {"mine"}


async def test_a_conflict_that_lasts_is_one_that_may_pass(database: Database) -> None:
    deadlock = {
        "postgres": "DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '40P01'; END $$",
        "mysql": "SIGNAL SQLSTATE '40001' SET MYSQL_ERRNO = 1213",
    }
    if database.url.dialect not in deadlock:
        return  # it has one writer: nothing can be locked the other way round
    tries = 0

    @transaction
    async def lose() -> None:
        nonlocal tries
        tries += 1
        await sql.rows(database, deadlock[database.url.dialect])

    with pytest.raises(DatabaseBusy):
        await lose()
    assert tries == 8


async def test_a_row_that_changed_since_it_was_read_is_read_again(
    database: Database, now: datetime
) -> None:
    if not await _can_refuse_old_snapshots(database):
        return
    await agents.record(name="a", revision="r1", config={}, now=now)
    has_read, may_write, seen = asyncio.Event(), asyncio.Event(), list[str]()

    @transaction
    async def append() -> None:
        await sql.rows(database, "SET SESSION innodb_snapshot_isolation = ON")
        seen.append((await Agent.get(name="a")).revision)
        has_read.set()
        await may_write.wait()
        await Agent.filter(name="a").update(revision=f"{seen[-1]}+")

    async with asyncio.TaskGroup() as group:
        group.create_task(append())
        await has_read.wait()
        await agents.record(name="a", revision="r2", config={}, now=now)
        may_write.set()
    assert seen == ["r1", "r2"]


async def _can_refuse_old_snapshots(database: Database) -> bool:
    """Whether it is a MariaDB that can be told to; newer ones do so of themselves."""
    return database.url.dialect == "mysql" and bool(
        await sql.rows(database, "SHOW VARIABLES LIKE 'innodb_snapshot_isolation'")
    )


async def test_a_verb_that_fails_leaves_nothing(database: Database, now: datetime) -> None:
    where = await given.conversation(now)

    @transaction
    async def fail() -> None:
        await Conversation.filter(id=where.id).update(last_seq=5)
        raise LookupError

    with pytest.raises(LookupError):
        await fail()
    row = await conversations.find(agent_id=where.agent_id, address=where.address)
    assert row
    assert row.last_seq == 0


async def test_a_duplicate_key_reaches_the_verb_as_it_is(database: Database, now: datetime) -> None:
    @transaction
    async def make() -> None:
        await Agent.create(name="a", revision="r", config={}, created_at=now, updated_at=now)

    await make()
    with pytest.raises(IntegrityError):
        await make()


async def test_no_task_is_started_inside_of_a_transaction() -> None:
    """It would write on a connection that is no longer its own."""
    starters = {
        "create_task",
        "ensure_future",
        "gather",
        "TaskGroup",
        "to_thread",
        "run_in_executor",
    }
    found = {
        (path.name, node.attr)
        for path in (ROOT / "storage").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr in starters
    }
    assert found == {
        ("transaction.py", "create_task"),
        ("script.py", "create_task"),
        ("own_connection.py", "run_in_executor"),  # a connection that Tortoise does not know
    }


@pytest.mark.parametrize(
    "text", ["'; DROP TABLE agent; --", "%s ? $1 :a", "äö🛟", "a\\b\n\r\t\x01"]
)
async def test_any_characters_are_only_characters(
    database: Database, now: datetime, text: str
) -> None:
    row = await agents.record(name=text, revision="r1", config={text: text}, now=now)
    assert (row.name, row.config) == (text, {text: text})


async def test_a_nul_is_stored_or_refused_in_a_sentence(database: Database, now: datetime) -> None:
    expected = {"sqlite": ["a\0b"], "mysql": ["a\0b"], "postgres": []}
    with suppress(Unstorable):
        await agents.record(name="a\0b", revision="r1", config={}, now=now)
    assert [row.name for row in await agents.everyone()] == expected[database.url.dialect]


async def test_a_lone_surrogate_is_refused_and_the_connection_stays_usable(
    database: Database, now: datetime
) -> None:
    with pytest.raises((UnicodeEncodeError, DatabaseUnusable)):
        await agents.record(name="\ud800", revision="r1", config={}, now=now)
    await agents.record(name="a", revision="r1", config={}, now=now)
    assert [row.name for row in await agents.everyone()] == ["a"]


async def test_an_error_of_the_database_is_told_in_a_sentence(database: Database) -> None:
    @reading
    async def wrong() -> None:
        await sql.rows(database, "SELECT * FROM nowhere")

    with pytest.raises(DatabaseUnusable, match="refused a statement"):
        await wrong()


@pytest.mark.parametrize(
    "error",
    [
        # In their words: an administrator, as the tests are one, is not refused.
        (1290, "The MySQL server is running with the --read-only option so it cannot execute this"),
        (1290, "The MySQL server is running with the --super-read-only option so it cannot"),
        (1836, "Running in read-only mode"),
        (1792, "Cannot execute statement in a READ ONLY transaction."),
    ],
)
def test_a_server_that_is_read_only_is_busy(error: tuple[int, str]) -> None:
    told = translate(OperationalError(MySQLError(*error)))
    assert (type(told), "read-only just now" in str(told)) == (DatabaseBusy, True)


def test_a_file_that_is_read_only_is_unusable() -> None:
    told = translate(OperationalError("attempt to write a readonly database"))
    assert type(told) is DatabaseUnusable


@pytest.mark.parametrize("url", ["postgres", "mysql"], indirect=True)
async def test_connections_that_the_server_drops_are_replaced(url: str, now: datetime) -> None:
    database = await open_database(url)
    kind, name = database.url.dialect, database.url.credentials["database"]
    for number in range(12):
        await execute(SERVERS[kind], DROP[kind].format(name=name))
        async with asyncio.timeout(PATIENCE):
            await _saved_at_last(f"r{number}", now)
    [row] = await agents.everyone()
    assert row.revision == "r11"
    async with asyncio.timeout(PATIENCE):
        await database.close()


async def _saved_at_last(revision: str, now: datetime) -> None:
    while True:
        with suppress(DatabaseBusy):
            await agents.record(name="a", revision=revision, config={}, now=now)
            return
