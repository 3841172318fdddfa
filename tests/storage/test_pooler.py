"""PostgreSQL behind PgBouncer in transaction mode: all works as without it."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path

import asyncpg
import pytest
from tortoise.transactions import in_transaction

from storage import inbox
from storage.database import Database, examine, open_database
from storage.errors import DatabaseBusy, StorageError
from storage.models import Conversation
from tests.conftest import needs_own
from tests.patience import PATIENCE
from tests.peers import pgbouncer
from tests.peers.pgbouncer import PgBouncer
from tests.peers.postgres import PostgresServer
from tests.storage import given, processes, sql
from tests.storage.drivers.test_lock import held_elsewhere, taken

MIGRATE = """
import asyncio, sys
from storage.database import open_database

async def main():
    database = await open_database(sys.argv[1])
    await database.probe()
    await database.close()

asyncio.run(main())
"""
WAIT = """
import asyncio, sys
from storage.database import open_database

async def main():
    database = await open_database(sys.argv[1])
    async with database.if_free("moor") as is_mine:
        assert not is_mine
    print("waits", flush=True)
    async with database.only_one("moor"):
        pass
    await database.close()

asyncio.run(main())
"""
WORDS = "SELECT 1 FROM pg_indexes WHERE indexname = 'passage_words'"
SERVERS_CONNECTIONS = "2"


@pytest.fixture
async def server(cluster: Path) -> AsyncIterator[PostgresServer]:
    """A server of this test's own."""
    needs_own("postgres", "pgbouncer", is_there=pgbouncer.available())
    async with PostgresServer(cluster=cluster) as started:
        yield started


@pytest.fixture
async def pooler(server: PostgresServer) -> AsyncIterator[PgBouncer]:
    """A pooler that has fewer connections than we do."""
    async with PgBouncer(server.url, default_pool_size=SERVERS_CONNECTIONS) as started:
        yield started


@pytest.fixture
async def database(pooler: PgBouncer) -> AsyncIterator[Database]:
    """An open database there."""
    opened = await open_database(pooler.url)
    yield opened
    await opened.close()


@pytest.mark.parametrize("options", ["", "?pgbouncer=true", "?statement_cache_size=0"])
async def test_all_is_done_through_a_pooler_that_is_told_or_found(
    pooler: PgBouncer, now: datetime, options: str
) -> None:
    database = await open_database(pooler.url + options)
    where = await given.conversation(now)
    async with asyncio.TaskGroup() as group:
        for name in "abcdefgh":
            group.create_task(_receive_and_read(database, where.id, name, now))
    assert len(await inbox.unanswered(where.id)) == 160
    await database.close()


async def _receive_and_read(database: Database, where: int, name: str, now: datetime) -> None:
    conversation = await given.conversation(now)
    assert conversation.id == where
    for number in range(20):
        await given.received(conversation, f"{name}{number}", now)
        await database.probe()
        await inbox.unanswered(where)  # another question, outside of a transaction, too


async def test_a_schema_is_used_through_a_pooler(pooler: PgBouncer, now: datetime) -> None:
    """Whichever connection of the server is lent."""
    plain = await open_database(pooler.url)
    await sql.rows(plain, "CREATE SCHEMA bots")
    await plain.close()
    database = await open_database(f"{pooler.url}?schema=bots")
    where = await given.conversation(now)
    async with asyncio.TaskGroup() as group:
        for name in "abcdefgh":
            group.create_task(_receive_and_read(database, where.id, name, now))
    assert await sql.rows(database, "SELECT count(*) AS n FROM bots.inbox") == [{"n": 160}]
    await database.close()


async def test_one_process_after_the_other_can_be_started(pooler: PgBouncer) -> None:
    """Each makes statements of the same names, which a pooler's server may have."""
    for _ in range(4):
        await processes.successful(MIGRATE, pooler.url)


async def test_many_can_be_started_at_once_on_a_new_database(
    pooler: PgBouncer, server: PostgresServer
) -> None:
    direct = await asyncpg.connect(server.url)
    await direct.execute("CREATE DATABASE new")
    new = f"{pooler.url.replace('/moorings', '/new')}?command_timeout={PATIENCE:.0f}"
    async with asyncio.TaskGroup() as group:
        for _ in range(6):
            group.create_task(processes.successful(MIGRATE, new))
    await direct.close()
    assert not (await examine(new)).missing


async def test_who_starts_takes_no_second_lock_while_another_one_starts(
    database: Database, server: PostgresServer
) -> None:
    """Each holder keeps a connection and works on another one: two could both wait for that."""
    await sql.rows(database, "DROP INDEX passage_words")
    async with database.only_one("migrating"):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await open_database(server.url)
        assert not await sql.rows(database, WORDS)
    await processes.successful(MIGRATE, server.url)
    assert await sql.rows(database, WORDS)


async def test_a_pooler_is_seen(pooler: PgBouncer, server: PostgresServer) -> None:
    assert (await examine(pooler.url)).is_pooled
    assert (await examine(f"{pooler.url}?pgbouncer=true")).is_pooled
    assert not (await examine(server.url)).is_pooled


async def test_who_denies_the_pooler_is_told(pooler: PgBouncer, now: datetime) -> None:
    database = await open_database(f"{pooler.url}?pgbouncer=false")
    with pytest.raises(DatabaseBusy, match="A connection pooler stands before the database"):
        await _ask_much(now)
    await database.close()


async def _ask_much(now: datetime) -> None:
    """Until a statement is looked for where it is not."""
    where = await given.conversation(now)
    failures: list[DatabaseBusy] = []

    async def receive(name: str) -> None:
        try:
            await given.received(where, name, now)
        except DatabaseBusy as error:
            failures.append(error)

    async with asyncio.timeout(PATIENCE):
        for number in itertools.count():
            async with asyncio.TaskGroup() as group:
                for name in "abcdefgh":
                    group.create_task(receive(f"{name}{number}"))
            if failures:
                raise failures[0]


async def test_nothing_is_left_to_the_next_one_who_uses_a_connection(
    database: Database, pooler: PgBouncer
) -> None:
    async with database.only_one("moor"):
        await database.probe()
    async with in_transaction():
        assert await sql.rows(database, "SHOW statement_timeout") == [{"statement_timeout": "30s"}]
    other = await asyncpg.connect(pooler.url, statement_cache_size=0)
    for _ in range(4):
        async with other.transaction():
            assert await other.fetchval("SHOW statement_timeout") == "0"
            assert await other.fetchval("SHOW idle_in_transaction_session_timeout") == "0"
            locks = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"
            assert await other.fetchval(locks) == 0
    await other.close()


async def test_a_lock_by_name_has_one_holder(database: Database, pooler: PgBouncer) -> None:
    async with held_elsewhere(pooler.url) as process:
        await taken(database, "moor")
        for _ in range(10):
            async with database.if_free("moor") as is_mine:
                assert not is_mine
        process.kill()
        await process.wait()
        async with asyncio.timeout(PATIENCE), database.only_one("moor"):
            await database.probe()


async def test_who_waits_for_a_lock_leaves_the_holder_the_poolers_connections(
    pooler: PgBouncer,
) -> None:
    async with held_elsewhere(pooler.url):
        waiting = [await processes.start(WAIT, pooler.url) for _ in range(4)]
        for each in waiting:
            assert await each.stdout.readline() == b"waits\n"
        await processes.successful(MIGRATE, pooler.url)
    for each in waiting:
        assert (await each.ended()).code == 0


@pytest.mark.usefixtures("database")
async def test_while_a_pooler_is_away_it_is_busy_and_right_after_all_is_well(
    pooler: PgBouncer, now: datetime
) -> None:
    where = await given.conversation(now)
    await pooler.stop()
    with pytest.raises(DatabaseBusy):
        await given.received(where, "meanwhile", now)
    await pooler.start()
    assert await given.received(where, "after", now)


async def test_a_server_that_is_started_again_behind_a_pooler_is_busy_meanwhile(
    server: PostgresServer, now: datetime
) -> None:
    async with PgBouncer(server.url, server_login_retry="0.2") as pooler:
        database = await open_database(f"{pooler.url}?command_timeout=1")
        where = await given.conversation(now)
        await server.stop()
        with pytest.raises(DatabaseBusy):
            await given.received(where, "meanwhile", now)
        await server.start()
        async with asyncio.timeout(PATIENCE):
            while not await _is_received(where, now):  # noqa: ASYNC110  # nobody could set an event
                await asyncio.sleep(0.05)
        await database.close()


async def _is_received(where: Conversation, now: datetime) -> bool:
    try:
        return await given.received(where, "after", now)
    except DatabaseBusy:
        return False


FULL = [
    ({"max_client_conn": "2"}, "no more connections allowed", "no connection left"),
    (
        {"default_pool_size": "2", "query_wait_timeout": "1"},
        "query_wait_timeout",
        "no connection to the database",
    ),
]


@pytest.mark.parametrize(("settings", "logged"), [each[:2] for each in FULL])
async def test_who_starts_goes_on_once_a_full_pooler_has_a_connection_again(
    server: PostgresServer, settings: dict[str, str], logged: str
) -> None:
    async with PgBouncer(server.url, **settings) as pooler:
        async with occupied(pooler):
            process = await processes.start(MIGRATE, pooler.url)
            async with asyncio.timeout(PATIENCE):
                while pooler.log.count(logged) < 2:  # noqa: ASYNC110  # nobody could set an event
                    await asyncio.sleep(0.05)
        assert (await process.ended()).code == 0


@pytest.mark.parametrize(("settings", "why"), [(each[0], each[2]) for each in FULL])
async def test_a_pooler_that_has_no_connection_left_is_busy(
    server: PostgresServer, settings: dict[str, str], why: str
) -> None:
    async with PgBouncer(server.url, **settings) as pooler, occupied(pooler):
        with pytest.raises(StorageError, match=why) as refused:
            await open_database(f"{pooler.url}?command_timeout=2")
    assert isinstance(refused.value, DatabaseBusy)


@asynccontextmanager
async def occupied(pooler: PgBouncer, count: int = 2) -> AsyncIterator[None]:
    """Somebody else has so many connections, and in the first two a transaction."""
    others = [await asyncpg.connect(pooler.url, statement_cache_size=0) for _ in range(count)]
    for each in others[:2]:
        await each.execute("BEGIN")
    yield
    for each in others:
        await each.close()


@pytest.mark.parametrize("url", ["postgres"], indirect=True)
@pytest.mark.parametrize("how", ["", "&pgbouncer=true"])
async def test_what_was_given_up_is_not_done_later(url: str, now: datetime, how: str) -> None:
    """Whoever sent a message sends it again, or has deleted it by then."""
    database = await open_database(f"{url}?command_timeout=1{how}")
    where = await given.conversation(now)
    other = await asyncpg.connect(url)
    async with asyncio.timeout(PATIENCE), other.transaction():
        await other.execute("SELECT id FROM conversation FOR UPDATE")
        with pytest.raises(DatabaseBusy):
            await given.received(where, "k1", now)
        while await other.fetch(sql.BLOCKED["postgres"]):  # noqa: ASYNC110  # nobody tells
            await asyncio.sleep(0.1)
    assert await inbox.unanswered(where.id) == []
    await other.close()
    await database.close()
