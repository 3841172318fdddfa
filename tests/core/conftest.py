"""A stage with an open database, for the tests that need one."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from storage.database import Database, open_database
from tests.core.given import Stage


@pytest.fixture
async def sqlite(filled_url: str) -> AsyncIterator[Database]:
    """An open SQLite database that does not wait long for its lock."""
    database = await open_database(f"{filled_url}?busy_timeout=20")
    yield database
    await database.close()


@pytest.fixture
def stage(sqlite: Database) -> Stage:
    """One agent on one platform, over a database of this test's own."""
    assert sqlite.file
    return Stage()
