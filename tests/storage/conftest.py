"""One database of each kind for all storage tests, empty at the start of each."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path

import pytest

from storage.database import Database, open_database
from tests import conftest, databases
from tests.forked import ROOT
from tests.storage import processes, sql

TORTOISE = "from tortoise.cli.cli import main; main()"
WIDER = "queue = fields.CharField(max_length=190)"
WIDENED = """queue = fields.CharField(max_length=200)
    note = fields.CharField(max_length=64, null=True)"""


@pytest.fixture(scope="session", params=conftest.KINDS)
def lasting_url(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    migrated: Path,
    servers: Mapping[str, databases.Server],
) -> Iterator[str]:
    """The URL of a database that the tests use one after the other."""
    kind = str(request.param)
    if kind == "sqlite":
        file = tmp_path_factory.mktemp("lasting") / "moorings.db"
        shutil.copy(migrated, file)
        yield f"sqlite://{file}"
        return
    with conftest.switched_on(servers, kind).filled() as url:
        yield url


@pytest.fixture
async def database(lasting_url: str) -> AsyncIterator[Database]:
    """An open, empty database of each kind that is switched on."""
    opened = await open_database(lasting_url)
    for table in sql.declared():
        await sql.rows(opened, f"DELETE FROM {sql.quoted(opened, table)}")  # noqa: S608  # a table of our own
    yield opened
    await opened.close()


@pytest.fixture(scope="session")
def later_version(once: conftest.Once) -> Path:
    """A folder with a later version of storage, whose migration rebuilds a table of SQLite."""
    return once("later", _make_later_version)


def _make_later_version(home: Path) -> None:
    shutil.copytree(ROOT / "storage", home / "storage")
    models = home / "storage" / "models.py"
    models.write_text(models.read_text().replace(WIDER, WIDENED))
    command = ["-c", "storage.database.SCHEMA", "makemigrations"]
    asyncio.run(processes.successful(TORTOISE, *command, home=home))
    shutil.copytree(home / "storage" / "migrations", home / "later_migrations")
