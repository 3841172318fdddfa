"""A server of the peer's Discord with a model endpoint, for bots to come and go."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bots.discord.internals import point_at
from core import clock
from tests.bots.discord.bots import Server
from tests.peers.discord.peer import DiscordPeer
from tests.peers.endpoint import Endpoint

_DAY = 86_400.0


def yesterday() -> float:
    """Unix seconds."""
    return clock.now().timestamp() - _DAY


@pytest.fixture
async def server(tmp_path: Path, migrated: Path) -> AsyncIterator[Server]:
    """Anna, Ben, #general and #support, as the peer has them, for a day."""
    shutil.copy(migrated, tmp_path / "moorings.db")
    discord = DiscordPeer(now=yesterday)
    discord.advance(_DAY)
    async with discord, Endpoint() as endpoint:
        yield Server(discord=discord, endpoint=endpoint, folder=tmp_path)
    point_at(None)
