"""A process that is cut off from its server: told in time, and well again when the network is."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from urllib.parse import urlsplit

import asyncmy
import asyncpg
import pytest
from tortoise import Tortoise

from storage import agents, claims, inbox, migration
from storage.database import Database, examine, open_database
from storage.drivers.pool import lasting
from storage.drivers.transaction import reading, transaction
from storage.errors import DatabaseBusy
from storage.models import Agent, Message
from tests.patience import PATIENCE
from tests.peers.cable import Cable
from tests.storage import given, older, sql

SECONDS = 2
LIMIT = f"?command_timeout={SECONDS}"
IN_PLAIN = {"postgres": "&sslmode=disable"}  # else nobody can tell what is on the cable
# What a server still has open on this database in a transaction, besides whoever asks.
IN_TRANSACTION = {
    "postgres": "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
    " AND xact_start IS NOT NULL AND pid <> pg_backend_pid()",
    "mysql": "SELECT trx_id FROM information_schema.innodb_trx JOIN information_schema.processlist"
    " ON id = trx_mysql_thread_id WHERE db = database() AND id <> connection_id()",
}

SLEEP = {"postgres": "SELECT pg_sleep(100)", "mysql": "SELECT SLEEP(6)"}
# Lets everybody read what is to be written at the end of each migration.
HOLD_UP = {
    "postgres": "BEGIN; LOCK TABLE tortoise_migrations IN SHARE MODE",
    "mysql": "LOCK TABLES tortoise_migrations READ",
}

pytestmark = pytest.mark.parametrize("url", ["postgres", "mysql"], indirect=True)


@pytest.fixture
async def cable(url: str) -> AsyncIterator[Cable]:
    """The network to a server."""
    async with Cable(url) as cable:
        yield cable


@pytest.fixture
async def far(cable: Cable) -> AsyncIterator[Database]:
    """An open database at the other end of the cable."""
    in_plain = IN_PLAIN.get(urlsplit(cable.url).scheme, "")
    opened = await open_database(cable.url + LIMIT + in_plain)
    yield opened
    cable.heal()
    await opened.close()


@asynccontextmanager
async def _in_time() -> AsyncIterator[None]:
    """It takes the limit, and not for ever."""
    began = time.monotonic()
    yield
    assert SECONDS - 0.1 <= time.monotonic() - began < SECONDS + 15


@transaction
async def _named(name: str, *, meanwhile: Awaitable[object]) -> None:
    """Change a row, wait for something, and change it again."""
    await Agent.filter(name=name).update(revision="r2")
    await meanwhile
    await Agent.filter(name=name).update(revision="r3")


async def _record(name: str, now: datetime) -> Agent:
    return await agents.record(name=name, revision="r1", config={}, now=now)


async def _read() -> None:
    await agents.everyone()


async def _is_well(database: Database, now: datetime) -> None:
    """Far more verbs than there are connections succeed, and none leaves a transaction open."""
    async with asyncio.timeout(PATIENCE):
        for tens in range(10):
            async with asyncio.TaskGroup() as group:
                for number in range(5):
                    group.create_task(_record(f"well{tens}{number}", now))
    assert len([row for row in await agents.everyone() if row.name.startswith("well")]) == 50
    async with asyncio.timeout(PATIENCE):
        await _nothing_is_open(database)


async def _nothing_is_open(database: Database) -> None:
    """Returns when the server has no transaction of anybody else."""
    while await sql.rows(database, IN_TRANSACTION[database.url.dialect]):  # noqa: ASYNC110  # only the server knows
        await asyncio.sleep(0.2)  # MariaDB tells the same again to who asks within a tenth


async def test_verbs_on_a_cut_network_end_in_time_and_work_when_it_is_healed(
    cable: Cable, far: Database, now: datetime
) -> None:
    where = await given.conversation(now)
    cable.cut()
    async with _in_time():
        with pytest.raises(DatabaseBusy):
            await given.received(where, "k1", now)
    async with _in_time():
        with pytest.raises(DatabaseBusy):
            await agents.everyone()
    cable.heal()
    await _is_well(far, now)


async def test_many_verbs_on_a_cut_network_end_in_time_together(
    cable: Cable, far: Database, now: datetime
) -> None:
    await _is_well(far, now)
    cable.cut()
    async with _in_time(), asyncio.TaskGroup() as group:
        ends = [group.create_task(_refused(_record(f"a{n}", now))) for n in range(20)]
        ends += [group.create_task(_refused(_read())) for _ in range(20)]
    assert [end.result() for end in ends] == [True] * 40
    cable.heal()
    await _is_well(far, now)


async def _refused(verb: Awaitable[object]) -> bool:
    with suppress(DatabaseBusy):
        await verb
        return False
    return True


async def test_a_transaction_that_is_cut_off_ends_in_time(
    cable: Cable, far: Database, now: datetime
) -> None:
    await _record("a", now)
    async with _in_time():
        with pytest.raises(DatabaseBusy):
            await _named("a", meanwhile=asyncio.to_thread(cable.cut))
    cable.heal()
    await _is_well(far, now)
    assert [row.revision for row in await agents.everyone() if row.name == "a"] == ["r1"]


async def test_a_verb_that_fails_while_it_is_cut_off_ends_in_time(
    cable: Cable, far: Database, now: datetime
) -> None:
    """Its own failure cannot be rolled back."""
    await _record("a", now)

    @transaction
    async def fail() -> None:
        await Agent.filter(name="a").update(revision="r2")
        cable.cut()
        raise LookupError

    async with _in_time():
        with pytest.raises((LookupError, DatabaseBusy)):
            await fail()
    cable.heal()
    await _is_well(far, now)


async def test_what_does_not_fit_into_the_network_ends_in_time(
    cable: Cable, far: Database, now: datetime
) -> None:
    cable.cut()
    long: dict[str, object] = {"text": "word " * 4_000_000}
    async with _in_time():
        with pytest.raises(DatabaseBusy):
            await agents.record(name="a", revision="r1", config=long, now=now)
    cable.heal()
    await _is_well(far, now)


@pytest.mark.parametrize("times", [1, 2])
async def test_who_is_cancelled_while_cut_off_ends_in_time(
    cable: Cable, far: Database, now: datetime, times: int
) -> None:
    await _is_well(far, now)
    cable.cut()
    async with _in_time(), asyncio.TaskGroup() as group:
        reading = [group.create_task(_read()) for _ in range(7)]
        writing = [group.create_task(_record(f"a{n}", now)) for n in range(7)]
        for _ in range(times):
            await _turns_of_the_loop(10)
            for task in (*reading, *writing):
                task.cancel()
    cable.renew()
    await _is_well(far, now)


async def test_a_session_that_was_given_back_may_be_closed(far: Database, now: datetime) -> None:
    async with lasting(Tortoise.get_connection(far.url.dialect)) as session:
        assert await session.ask("SELECT 1") == 1
    session.close()
    await _is_well(far, now)


async def _turns_of_the_loop(number: int) -> None:
    """Enough that all who can go on have come to where they wait for the server."""
    for _ in range(number):
        await asyncio.sleep(0)


def is_mysql(far: Database) -> bool:
    """PostgreSQL takes as one statement, without a word after it, what MySQL has to commit."""
    return far.url.dialect == "mysql"


async def test_a_message_whose_commit_is_not_answered_is_stored_once(
    cable: Cable, far: Database, now: datetime
) -> None:
    where = await given.conversation(now)
    cable.lose_answer(to=b"COMMIT" if is_mysql(far) else b"text of k1")
    with pytest.raises(DatabaseBusy):
        await given.received(where, "k1", now)
    cable.heal()
    assert not await given.received(where, "k1", now)
    assert [message.key for message in await inbox.unanswered(where.id)] == ["k1"]


async def test_a_turn_whose_commit_is_not_answered_is_ended_once(
    cable: Cable, far: Database, now: datetime
) -> None:
    where = await given.conversation(now)
    await given.received(where, "k1", now)
    lease = await given.leased(where, now)
    turn = await given.opened(lease, now)
    cable.lose_answer(to=b"COMMIT" if is_mysql(far) else b"yes, it is")
    with pytest.raises(DatabaseBusy):
        await given.answered(lease, turn, now, text="yes, it is")
    cable.heal()
    await given.answered(lease, turn, now)
    assert await Message.filter(conversation_id=where.id).count() == 2
    assert await claims.open_next(lease, plan=given.PLAN, now=now) is None


async def test_a_network_that_ends_every_connection_is_used_again(
    cable: Cable, far: Database, now: datetime
) -> None:
    await _is_well(far, now)
    await cable.reset()
    with suppress(DatabaseBusy):
        await agents.everyone()
    await _is_well(far, now)


async def test_a_transaction_whose_connection_is_reset_is_told_so(
    cable: Cable, far: Database, now: datetime
) -> None:
    await _record("a", now)
    with pytest.raises(DatabaseBusy):
        await _named("a", meanwhile=cable.reset())
    await _is_well(far, now)


async def test_a_server_that_refuses_connections_is_busy(
    cable: Cable, far: Database, now: datetime
) -> None:
    await _is_well(far, now)
    async with cable.unplugged():
        for _ in range(7):
            assert await _refused(_record("a", now))
            assert await _refused(_read())
    await _is_well(far, now)


async def test_a_server_that_does_not_answer_is_not_waited_for_at_the_start(cable: Cable) -> None:
    cable.cut()
    for way in (open_database, examine):
        async with _in_time():
            with pytest.raises(DatabaseBusy, match="gives no answer in time"):
                await way(cable.url + LIMIT)
    cable.heal()
    await (await open_database(cable.url + LIMIT)).close()


@pytest.mark.usefixtures("far")
async def test_rows_of_who_was_cut_off_are_free_again_in_time(
    cable: Cable, url: str, now: datetime
) -> None:
    """The server believes that all is well: only its own limit ends the transaction."""
    await _record("a", now)
    with pytest.raises(DatabaseBusy):
        await _named("a", meanwhile=asyncio.to_thread(cable.cut))
    async with asyncio.timeout(SECONDS + 15), _near(url) as ask:
        await ask("UPDATE agent SET revision = 'r4'")


async def test_a_migration_takes_as_long_as_it_needs(url: str) -> None:
    await older.clear(url)
    await older.make(url, migration.known()[0])
    async with _near(url) as ask:
        await ask(HOLD_UP[url.partition(":")[0]])
        opening = asyncio.get_running_loop().create_task(open_database(url + LIMIT))
        await asyncio.wait({opening}, timeout=2 * SECONDS)
        assert not opening.done()
    await (await opening).close()


@asynccontextmanager
async def _near(url: str) -> AsyncIterator[Callable[[str], Awaitable[object]]]:
    """What somebody else can ask the server, who is not cut off; ends with all that it holds."""
    if url.startswith("postgres"):
        connection = await asyncpg.connect(url)
        yield connection.execute
        await connection.close()
        return
    parts = urlsplit(url)
    login = {"host": parts.hostname, "user": parts.username, "password": parts.password or ""}
    async with (
        asyncmy.connect(**login, db=parts.path[1:]) as session,
        session.cursor() as cursor,
    ):
        yield cursor.execute


async def test_a_statement_that_takes_too_long_is_given_up(far: Database) -> None:
    @reading
    async def sleep() -> None:
        await sql.rows(far, SLEEP[far.url.dialect])

    async with _in_time():
        with pytest.raises(DatabaseBusy):
            await sleep()
    async with asyncio.timeout(PATIENCE):  # MariaDB notices when it has slept
        await _nothing_is_open(far)
