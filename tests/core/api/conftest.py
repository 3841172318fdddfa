"""A program with an endpoint, for the tests of agents from Python."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from core import close
from tests.peers.endpoint import Endpoint


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    async with Endpoint() as endpoint:
        yield endpoint


@pytest.fixture
async def environment(
    endpoint: Endpoint, tmp_path: Path, filled_url: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[None]:
    """A folder of its own, and the endpoint as OPENAI_BASE_URL."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-1")
    monkeypatch.setenv("OPENAI_BASE_URL", endpoint.base_url)
    monkeypatch.setenv("DATABASE_URL", filled_url)
    monkeypatch.delenv("MOORINGS_CONFIG", raising=False)
    yield
    await close()
