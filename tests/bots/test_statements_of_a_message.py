"""How often the database is asked for one message, from the socket to the delivered answer.

What is asked once in a while, however many messages there are, is left out: how far was heard,
whether bindings changed, and when the worker looks for work, which it does once for the message
and up to twice around it. The first message warms everything up.
"""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from bots.discord.internals import point_at
from tests.bots.discord import server as discord_server
from tests.bots.discord.server import Server
from tests.bots.slack import bots as slack_bots
from tests.bots.slack.bots import Workspace
from tests.peers.discord.peer import DiscordPeer
from tests.peers.endpoint import Endpoint
from tests.peers.slack.peer import SlackPeer
from tests.statements import asked

AGENTS = "[agents.assistant]"
NOBODY_WORKS = "SELECT count(*) FROM conversation WHERE ready_at IS NOT NULL"


def without_looks(statements: list[str]) -> list[str]:
    looks = ("UPDATE conversation SET id = id WHERE id = -1", 'WHERE "queue" IN')
    return [each for each in statements if not any(look in each for look in looks)]


@pytest.fixture
async def endpoint(
    tmp_path: Path, migrated: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Endpoint]:
    shutil.copy(migrated, tmp_path / "moorings.db")
    for name in (
        "core.messaging.bindings._FRESH_SECONDS",
        "core.turn.worker._POLL_SECONDS",
        "bots.slack.catch_up._BEAT_SECONDS",
    ):
        monkeypatch.setattr(name, 600.0)
    async with Endpoint() as endpoint:
        yield endpoint


async def test_a_mention_on_slack(
    endpoint: Endpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its twin may come first, and then say who can read: three statements more."""
    slack_bots.spare_nobody(monkeypatch)
    async with SlackPeer() as slack:
        workspace = Workspace(slack=slack, endpoint=endpoint, folder=tmp_path)
        async with workspace.bot(AGENTS) as bot:
            await bot.caught_up()

            async def ask(count: int) -> None:
                slack.say("C0GENERAL", "U0ANNA", f"{slack.mention} hello")
                await workspace.answered("C0GENERAL", count)
                await slack.until_quiet()
                await slack.until(lambda: workspace.rows(NOBODY_WORKS) == [(0,)])

            await ask(1)
            async with asked() as statements:
                await ask(2)
    assert len(without_looks(statements)) <= 35 + 4, "\n".join(statements)
    assert statements.transactions <= 11 + 2


async def test_a_mention_on_discord(
    endpoint: Endpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    discord_server.no_waiting(monkeypatch)
    async with DiscordPeer() as discord:
        server = Server(discord=discord, endpoint=endpoint, folder=tmp_path)
        async with server.bot(
            AGENTS, connection=replace(discord_server.QUICK, cursor_interval=600.0)
        ):

            async def ask(count: int) -> None:
                discord.say(discord.general, discord.anna, f"{discord.mention} hello")
                await server.answered(discord.general, count)
                await discord.until(lambda: server.rows(NOBODY_WORKS) == [(0,)])

            await ask(1)
            async with asked() as statements:
                await ask(2)
    point_at(None)
    assert len(without_looks(statements)) <= 33, "\n".join(statements)
    assert statements.transactions <= 11


async def test_what_is_overheard_on_slack(
    endpoint: Endpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What people say to each other costs the database nothing."""
    slack_bots.spare_nobody(monkeypatch)
    async with SlackPeer() as slack:
        workspace = Workspace(slack=slack, endpoint=endpoint, folder=tmp_path)
        async with workspace.bot(AGENTS) as bot:
            await bot.caught_up()
            slack.say("C0GENERAL", "U0ANNA", "hello Ben")
            await slack.until_quiet()
            async with asked() as statements:
                slack.say("C0GENERAL", "U0BEN", "hello Anna")
                await slack.until_quiet()
    assert statements == []
