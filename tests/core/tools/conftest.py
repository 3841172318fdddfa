"""A real database, and where the tools under test are called from."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from core.address import Address
from core.tools import ToolContext
from storage.database import Database, open_database


@pytest.fixture
async def database(filled_url: str) -> AsyncIterator[Database]:
    opened = await open_database(filled_url)
    yield opened
    await opened.close()


@pytest.fixture
def context() -> ToolContext:
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
