"""The PostgreSQL server that tests may restart and kill."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import asyncpg
import pytest

from tests.peers.postgres import How, PostgresServer, has_library


@pytest.fixture
async def server(cluster: Path) -> AsyncIterator[PostgresServer]:
    """A server with one row in it."""
    async with PostgresServer(cluster=cluster) as started:
        connection = await asyncpg.connect(started.url)
        await connection.execute("CREATE TABLE kept (id int); INSERT INTO kept VALUES (1)")
        await connection.close()
        yield started


async def _rows(server: PostgresServer) -> int:
    connection = await asyncpg.connect(server.url)
    try:
        return int(await connection.fetchval("SELECT count(*) FROM kept"))
    finally:
        await connection.close()


@pytest.mark.parametrize("how", ["fast", "immediate"])
async def test_a_restarted_server_has_what_was_committed(server: PostgresServer, how: How) -> None:
    await server.restart(how)
    assert await _rows(server) == 1


async def test_a_killed_server_starts_again_although_a_connection_works_on(
    server: PostgresServer,
) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(_ask_for_seconds(server))
        while not await _works(server):  # noqa: ASYNC110  # only the server knows
            await asyncio.sleep(0.01)
        await server.kill()
        with pytest.raises(ConnectionRefusedError):
            await asyncpg.connect(server.url)
        await server.start()
    assert await _rows(server) == 1


async def _ask_for_seconds(server: PostgresServer) -> None:
    connection = await asyncpg.connect(server.url)
    with suppress(asyncpg.PostgresError):  # it may be answered: its process lives on
        await connection.execute("SELECT pg_sleep(2)")
    connection.terminate()


async def _works(server: PostgresServer) -> bool:
    connection = await asyncpg.connect(server.url)
    try:
        statement = "SELECT 1 FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(2)'"
        return bool(await connection.fetchval(statement))
    finally:
        await connection.close()


async def test_a_server_ends_with_its_test_and_leaves_nothing(cluster: Path) -> None:
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(PostgresServer(cluster=cluster))
        folder = server._folder
    with pytest.raises(ConnectionRefusedError):
        await asyncpg.connect(server.url)
    assert not folder.exists()


async def test_a_server_loses_nothing_that_was_committed(server: PostgresServer) -> None:
    connection = await asyncpg.connect(server.url)
    assert await connection.fetchval("SHOW fsync") == "on"
    assert await connection.fetchval("SHOW synchronous_commit") == "on"
    await connection.close()


async def test_a_server_can_count_statements(cluster: Path) -> None:
    if not has_library("pg_stat_statements"):
        pytest.skip("its PostgreSQL has no pg_stat_statements")
    settings = {"shared_preload_libraries": "pg_stat_statements"}
    async with PostgresServer(settings, cluster=cluster) as server:
        connection = await asyncpg.connect(server.url)
        await connection.execute("CREATE EXTENSION pg_stat_statements")
        assert await connection.fetchval("SELECT sum(calls) FROM pg_stat_statements")
        await connection.close()
