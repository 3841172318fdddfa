"""A stage with an open database, for the tests that need one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from core.address import Address
from core.tools import ToolContext
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


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty times a second a worker looks for what nobody in its process tells it."""
    monkeypatch.setattr("core.turn.stops._LOOK_SECONDS", 0.05)
    monkeypatch.setattr("core.turn.worker._POLL_SECONDS", 0.05)


@pytest.fixture
def context() -> ToolContext:
    """Of a call that an agent's model made."""
    return ToolContext(
        idempotency_key="turn-1.2",
        agent_id=1,
        conversation_id=7,
        scope="slack/T1/C1",
        address=Address.parse("slack/T1/C1"),
        author="Ana",
        author_id="U1",
        source_key="slack/T1/C1/1.5",
        now=datetime(2026, 3, 9, 13, 5, tzinfo=UTC),
    )
