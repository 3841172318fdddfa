"""A stage with an open database, for the tests that need one."""

from __future__ import annotations

import pytest

from storage.database import Database
from tests.core.given import Stage


@pytest.fixture
def stage(sqlite: Database) -> Stage:
    """One agent on one platform, over a database of this test's own."""
    assert sqlite.file
    return Stage()
