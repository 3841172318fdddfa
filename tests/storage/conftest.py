"""A later version of storage, which wants a migration."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest

from tests import conftest
from tests.forked import ROOT
from tests.storage import processes

TORTOISE = "from tortoise.cli.cli import main; main()"
WIDER = "queue = fields.CharField(max_length=190)"
WIDENED = """queue = fields.CharField(max_length=200)
    note = fields.CharField(max_length=64, null=True)"""


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
