"""Fixtures: a server on the peer's Discord, a model endpoint, and no long waits."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bots.discord.internals import point_at
from core import clock
from tests.bots.discord.server import Server, no_waiting
from tests.patience import PATIENCE
from tests.peers.discord.peer import DiscordPeer
from tests.peers.endpoint import Endpoint

_DAY = 86_400.0


def yesterday() -> float:
    """Unix seconds."""
    return clock.now().timestamp() - _DAY


@pytest.fixture
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bot waits a tenth of a second where it would wait seconds for Discord."""
    no_waiting(monkeypatch)


@pytest.fixture
async def server(tmp_path: Path, migrated: Path, no_pauses: None) -> AsyncIterator[Server]:
    """A server with Anna, Ben, #general and #support, a day old."""
    shutil.copy(migrated, tmp_path / "moorings.db")
    peer = DiscordPeer(now=yesterday)
    peer.advance(_DAY)
    peer.backend.interactions.ack_seconds = PATIENCE  # Discord's three are too few here and there
    async with peer, Endpoint() as endpoint:
        yield Server(discord=peer, endpoint=endpoint, folder=tmp_path)
    point_at(None)
