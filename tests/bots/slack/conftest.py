"""A workspace of the peer's Slack with a model endpoint, for bots to come and go."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from bots.slack import adapter, rates, streams
from tests.bots.slack import bots
from tests.bots.slack.bots import Workspace, spare_nobody
from tests.patience import PATIENCE
from tests.peers.endpoint import Endpoint
from tests.peers.slack.deliveries import Schedule
from tests.peers.slack.peer import SlackPeer

# A busy machine may take more than three seconds for a command, which comes only once.
QUICK = Schedule(deadline=2.0, patience=PATIENCE, retries=(0.0, 0.1, 0.1))


@pytest.fixture
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where Slack is spared for seconds, the peer need not be spared."""
    spare_nobody(monkeypatch)


@pytest.fixture
def no_refill(monkeypatch: pytest.MonkeyPatch, no_pauses: None) -> None:
    """A bucket of calls that is empty stays so: who needs more than there is is put off."""
    monkeypatch.setattr(rates, "_TIERS", dict.fromkeys(rates._TIERS, rates._BURST + 0.01))


@pytest.fixture
def grows_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers grow with every word, not once a second."""
    often = replace(adapter._LIMITS, seconds_between_edits=0.01)
    monkeypatch.setattr(adapter, "_LIMITS", often)
    monkeypatch.setattr(streams, "_INTERVAL", 0.01)


@pytest.fixture
def dead_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """A socket that says nothing for a second is given up: only where nobody else is busy."""
    monkeypatch.setattr(bots, "PING_INTERVAL", 0.5)


@pytest.fixture
async def workspace(tmp_path: Path, migrated: Path, no_pauses: None) -> AsyncIterator[Workspace]:
    """Anna, Ben, #general and #support, as the peer has them; deliveries are retried quickly."""
    shutil.copy(migrated, tmp_path / "moorings.db")
    async with SlackPeer(schedule=QUICK) as slack, Endpoint() as endpoint:
        yield Workspace(slack=slack, endpoint=endpoint, folder=tmp_path)
