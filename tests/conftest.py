"""What every test can have: an open database of each kind, and moments in time."""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn
from urllib.parse import urlsplit

import asyncmy
import asyncpg
import pytest

from storage.database import Database, open_database

SERVERS = {
    "postgres": os.environ.get("MOORINGS_TEST_POSTGRES", ""),  # noqa: TID251  # of the test run
    "mysql": os.environ.get("MOORINGS_TEST_MYSQL", ""),  # noqa: TID251  # of the test run
}
NEEDS_SERVER = "needs a server"
SWITCH_ON = NEEDS_SERVER + ": MOORINGS_TEST_{0}={1}://user:password@127.0.0.1/database make test"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line for all tests that need a server, not one for each."""
    skipped = terminalreporter.stats.get("skipped", [])
    if count := sum(NEEDS_SERVER in str(report.longrepr) for report in skipped):
        terminalreporter.write_line(f"{count} tests need a server: `make test-all` runs them")


@pytest.fixture
def now() -> datetime:
    """One moment; what has to come later adds to it."""
    return datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """A database file of this test's own."""
    return f"sqlite://{tmp_path}/moorings.db"


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty database file with the schema: copying it saves a migration a test."""
    file = tmp_path_factory.mktemp("migrated") / "moorings.db"
    asyncio.run(_make(f"sqlite://{file}"))
    return file


@pytest.fixture
def filled_url(migrated: Path, tmp_path: Path) -> str:
    """A database file of this test's own that has the schema already."""
    shutil.copy(migrated, tmp_path / "moorings.db")
    return f"sqlite://{tmp_path}/moorings.db"


@pytest.fixture
async def sqlite(filled_url: str) -> AsyncIterator[Database]:
    """An open SQLite database."""
    database = await open_database(filled_url)
    yield database
    await database.close()


@pytest.fixture(params=["sqlite", "postgres", "mysql"])
def url(request: pytest.FixtureRequest, sqlite_url: str) -> Iterator[str]:
    """The URL of an empty database of each kind that is switched on."""
    kind = str(request.param)
    if kind == "sqlite":
        yield sqlite_url
        return
    server = SERVERS[kind]
    if not server:
        switched_off(kind)
    name = f"moorings_{secrets.token_hex(6)}"
    asyncio.run(_execute(server, f"CREATE DATABASE {name}"))
    yield f"{server.rpartition('/')[0]}/{name}"
    asyncio.run(_execute(server, f"DROP DATABASE {name}"))


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    """An open database of each kind that is switched on."""
    opened = await open_database(url)
    yield opened
    await opened.close()


def switched_off(kind: str) -> NoReturn:
    """Skip a test that needs a server, saying how to switch it on."""
    skip_or_fail(SWITCH_ON.format(kind.upper(), kind))


def skip_or_fail(how: str) -> NoReturn:
    """Skip a test that needs what is not there, saying how to get it; in CI it fails."""
    if os.environ.get("CI"):  # noqa: TID251  # of the test run, not of the program
        pytest.fail(how)
    pytest.skip(how)


async def _make(url: str) -> None:
    await (await open_database(url)).close()


async def _execute(server: str, statement: str) -> None:
    """Run one statement on a server, outside of Tortoise."""
    if server.startswith("postgres"):
        connection = await asyncpg.connect(server)
        await connection.execute(statement)
        await connection.close()
        return
    url = urlsplit(server)
    login = {"host": url.hostname, "user": url.username, "password": url.password or ""}
    async with asyncmy.connect(**login) as connection, connection.cursor() as cursor:
        await cursor.execute(statement)
