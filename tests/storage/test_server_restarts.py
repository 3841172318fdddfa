"""A server that is stopped, killed or started again under a process that uses it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime
from pathlib import Path

import pytest

from storage import inbox
from storage.database import Database, open_database
from storage.errors import DatabaseBusy, StorageError
from storage.models import Conversation
from tests.patience import PATIENCE
from tests.peers.postgres import PostgresServer
from tests.storage import given

End = Callable[[PostgresServer], Awaitable[None]]


@pytest.fixture
async def server(cluster: Path) -> AsyncIterator[PostgresServer]:
    """A server of this test's own."""
    async with PostgresServer(cluster=cluster) as started:
        yield started


@pytest.fixture
async def database(server: PostgresServer) -> AsyncIterator[Database]:
    """An open database there."""
    opened = await open_database(server.url)
    yield opened
    await opened.close()


async def _stop(server: PostgresServer) -> None:
    await server.stop("fast")


async def _abort(server: PostgresServer) -> None:
    await server.stop("immediate")


async def _kill(server: PostgresServer) -> None:
    await server.kill()


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("end", [_stop, _abort, _kill])
async def test_while_a_server_is_away_it_is_busy_and_right_after_all_is_well(
    server: PostgresServer, now: datetime, end: End
) -> None:
    where = await given.conversation(now)
    met, told, is_over = list[StorageError](), list[str](), asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for name in "abcdefgh":
            group.create_task(_receive(where, name, now, told, met, is_over))
        await asyncio.sleep(0.2)
        await end(server)
        await _until(lambda: len(met) >= 50)
        await server.start()
        seen = len(told)
        await _until(lambda: len(told) >= seen + 50)
        is_over.set()
    assert {type(error) for error in met} == {DatabaseBusy}
    stored = [message.key for message in await inbox.unanswered(where.id)]
    assert len(stored) == len(set(stored))
    assert set(told) <= set(stored)


async def _receive(
    where: Conversation,
    name: str,
    now: datetime,
    told: list[str],
    met: list[StorageError],
    is_over: asyncio.Event,
) -> None:
    """Store message after message, each until somebody says that it is stored."""
    number = 0
    while not is_over.is_set():
        key = f"{name}{number}"
        try:
            await given.received(where, key, now)
        except StorageError as error:
            met.append(error)
            await asyncio.sleep(0.01)
        else:
            told.append(key)
            number += 1


async def _until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not is_so():  # noqa: ASYNC110  # many tasks make it so
            await asyncio.sleep(0.01)


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("end", [_stop, _abort, _kill])
async def test_the_first_verb_after_a_restart_succeeds(
    server: PostgresServer, now: datetime, end: End
) -> None:
    where = await given.conversation(now)
    async with asyncio.TaskGroup() as group:
        for number in range(20):  # so that the pool has all its connections
            group.create_task(given.received(where, f"k{number}", now))
    await end(server)
    await server.start()
    assert await given.received(where, "after", now)


async def test_a_server_that_fails_over_is_busy_and_tried_again(
    server: PostgresServer, database: Database, now: datetime, caplog: pytest.LogCaptureFixture
) -> None:
    where = await given.conversation(now)
    await server.demote()
    with pytest.raises(DatabaseBusy, match="read-only just now"):
        await given.received(where, "meanwhile", now)
    await database.probe()
    await server.promote()
    assert await given.received(where, "after", now)
    assert "active transaction" not in caplog.text
