"""A real database, and where the tools under test are called from."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from storage.database import Database, open_database


@pytest.fixture
async def database(filled_url: str) -> AsyncIterator[Database]:
    opened = await open_database(filled_url)
    yield opened
    await opened.close()
