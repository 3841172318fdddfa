"""Runs the bot in this process, with the parts of `moorings run`, on the peer's Discord."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path

import discord
import pytest
from discord import app_commands
from discord.backoff import ExponentialBackoff
from pydantic import SecretStr

from bots import hearing
from bots.discord import client, ingest, platform
from bots.discord.client import Interactions
from bots.discord.listener import ConnectionSettings, GatewayListener
from bots.discord.platform import DiscordPlatform
from core.config.settings import Settings
from core.runtime import Runtime
from core.turn.worker import Worker
from tests.peers.discord.peer import DiscordPeer
from tests.peers.discord.transcript import Line
from tests.peers.endpoint import Endpoint

QUICK = ConnectionSettings(
    poll=0.02, dead_after=12.0, silent_after=60.0, pause=0.05, cursor_interval=0.05
)


def no_waiting(patch: pytest.MonkeyPatch) -> None:
    """Wait a tenth of a second where the bot would wait seconds."""
    patch.setattr(hearing, "_RETRY_SECONDS", 0.1)
    patch.setattr(ingest, "_RETRY_SECONDS", 0.1)
    patch.setattr(ingest, "_LOOKUP_RETRY_SECONDS", 0.1)
    patch.setattr(platform, "_RETRY_SECONDS", 0.1)
    patch.setattr(ExponentialBackoff, "delay", lambda _: 0.1)
    patch.setattr(discord.Client, "before_identify_hook", _next)
    patch.setattr(client, "_GUILD_SECONDS", 0.3)


async def _next(_: discord.Client, __: int | None, *, initial: bool = False) -> None:
    await asyncio.sleep(0 if initial else 0.1)


class NoInteractions:
    """Handles no commands, and only records button presses."""

    def __init__(self) -> None:
        self.presses: list[discord.Interaction] = []
        self.clients: list[discord.Client] = []

    def attach(self, client: discord.Client) -> app_commands.CommandTree[discord.Client]:
        self.clients.append(client)
        return app_commands.CommandTree(client)

    async def pressed(self, interaction: discord.Interaction) -> None:
        self.presses.append(interaction)

    async def synchronise(self, tree: app_commands.CommandTree[discord.Client]) -> None:
        """There are no commands."""


@dataclass(frozen=True, kw_only=True)
class Server:
    """The peer, a model endpoint, and the folder of the bots that a test starts and stops."""

    discord: DiscordPeer
    endpoint: Endpoint
    folder: Path

    def settings(self, agents: str = "", **changes: object) -> Settings:
        """As the environment would give them, with the text of an agents file."""
        file = self.folder / "agents.toml"
        file.write_text(agents)
        given: dict[str, object] = {
            "database_url": f"sqlite://{self.database}",
            "config": file,
            "drain_seconds": 5,
            "openai_api_key": SecretStr("sk-of-a-test"),
            "openai_base_url": self.endpoint.base_url,
            "discord_token": SecretStr(self.discord.token),
            "discord_api_url": self.discord.api_url,
        }
        return Settings(**{**given, **changes})  # type: ignore[arg-type]  # named by each test

    @property
    def database(self) -> Path:
        """The database file."""
        return self.folder / "moorings.db"

    @property
    def impatient(self) -> str:
        """The database, for a bot that does not wait long for its lock."""
        return f"sqlite://{self.database}?busy_timeout=20"

    @property
    def support_listens(self) -> str:
        """An agents file: `support` answers everything in #support, `assistant` elsewhere."""
        return f"""
            [agents.assistant]
            [agents.support]
            [[bindings]]
            at = "discord/{self.discord.guild}/{self.discord.support}"
            agent = "support"
            listen = "all"
        """

    @asynccontextmanager
    async def bot(
        self,
        agents: str = "",
        *,
        connection: ConnectionSettings = QUICK,
        interactions: Interactions | None = None,
        waits: bool = True,
        **changes: object,
    ) -> AsyncIterator[Bot]:
        """A bot that listens, unless nobody `waits` for it; stopped as by SIGTERM at the end."""
        async with AsyncExitStack() as opened:
            runtime = await Runtime.open(self.settings(agents, **changes))
            opened.push_async_callback(runtime.close)
            platform = await DiscordPlatform.open(runtime)
            opened.push_async_callback(platform.close)
            worker = runtime.worker({"discord": platform.adapter})
            runtime.intake.wake_with(worker.wake, worker.edited)
            listener = platform.listener(worker, interactions or NoInteractions(), connection)
            bot = Bot(runtime=runtime, worker=worker, listener=listener, stop=asyncio.Event())
            async with self._running(bot):
                if waits:
                    await self.listening(bot)
                yield bot

    @asynccontextmanager
    async def twin(self, bot: Bot) -> AsyncIterator[GatewayListener]:
        """Another connection with the same token, as that of a second process, to its database."""
        platform = await DiscordPlatform.open(bot.runtime)
        listener = platform.listener(bot.worker, NoInteractions(), QUICK)
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(listener.run(bot.runtime.intake, stop))
            try:
                await self.discord.until(lambda: listener.is_listening)
                yield listener
            finally:
                stop.set()
        await platform.close()

    @asynccontextmanager
    async def _running(self, bot: Bot) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as group:
            drain = bot.runtime.settings.drain_seconds
            group.create_task(bot.worker.run(["discord"], bot.stop, drain))
            group.create_task(bot.listener.run(bot.runtime.intake, bot.stop))
            try:
                yield
            finally:
                bot.stop.set()

    async def listening(self, bot: Bot) -> None:
        """Once the bot is connected."""
        await self.discord.until(lambda: bot.listener.is_listening)

    def answers(self, channel: str) -> list[Line]:
        """The finished answers there."""
        bot = self.discord.bot_user
        lines = [line for line in self.discord.transcript(channel) if line.user == bot]
        return [line for line in lines if "Again" in line.buttons]

    def said(self, channel: str) -> list[str]:
        """What the bot has said there, finished, in order."""
        return [line.text for line in self.answers(channel)]

    async def answered(self, channel: str, count: int = 1) -> list[str]:
        """The answers there, once there are that many."""
        await self.discord.until(lambda: len(self.answers(channel)) >= count)
        return self.said(channel)

    def cursors(self) -> dict[object, object]:
        """How far every channel was heard, by address."""
        found = self.rows("SELECT name, position FROM cursor WHERE name LIKE 'discord/%'")
        return dict(found)  # type: ignore[arg-type]  # pairs

    async def ended_with(self, channel: str, words: str) -> None:
        """Once the last answer there has these words."""
        await self.discord.until(lambda: words in "".join(self.said(channel)[-1:]))

    @asynccontextmanager
    async def locked(self) -> AsyncIterator[sqlite3.Connection]:
        """Another program writes to the database, and takes its time."""
        with closing(sqlite3.connect(self.database, timeout=0, isolation_level=None)) as other:
            while not other.in_transaction:
                try:
                    other.execute("BEGIN IMMEDIATE")
                except sqlite3.OperationalError:  # the bot is writing; it needs this event loop
                    await asyncio.sleep(0.005)
            yield other

    async def change(self, statement: str) -> None:
        """Change what the database holds, behind the back of everybody."""
        async with self.locked() as other:
            other.execute(statement)
            other.execute("COMMIT")

    def rows(self, statement: str) -> list[tuple[object, ...]]:
        """What the database holds."""
        with closing(sqlite3.connect(self.database)) as other:
            return list(other.execute(statement))


@dataclass(frozen=True, kw_only=True)
class Bot:
    """A running bot."""

    runtime: Runtime
    worker: Worker
    listener: GatewayListener
    stop: asyncio.Event
