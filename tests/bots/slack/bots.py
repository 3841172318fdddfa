"""The bot on the peer's Slack: its parts as `moorings run` puts them together, in this process."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import pytest
from pydantic import SecretStr

from bots import hearing
from bots.listening import WaysIn
from bots.slack import rates
from bots.slack.connection import Client
from bots.slack.platform import SlackPlatform
from bots.slack.sockets import SocketListener, Watch
from bots.slack.workspaces import Grant
from core.config.settings import Settings
from core.runtime import Runtime
from core.turn.worker import Worker
from tests.patience import PATIENCE
from tests.peers.endpoint import Endpoint
from tests.peers.slack.peer import SlackPeer
from tests.peers.slack.transcript import Line

PING_INTERVAL = 4.0  # seconds
UNSTORED = "not stored, so not acknowledged"  # in the log


def spare_nobody(patch: pytest.MonkeyPatch) -> None:
    """The peer takes a hundred times as many calls as Slack, and tells who and where some day."""
    many = {tier: 100 * calls for tier, calls in rates._TIERS.items()}
    patch.setattr(rates, "_TIERS", many)
    patch.setattr(rates, "_POST_SECONDS", rates._POST_SECONDS / 100)
    patch.setattr(hearing, "_RETRY_SECONDS", 0.1)
    patch.setattr("bots.slack.people._PATIENCE", PATIENCE)


@dataclass(frozen=True, kw_only=True)
class Workspace:
    """The peer, a model endpoint and a folder; bots come and go."""

    slack: SlackPeer
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
            "slack_bot_token": SecretStr(self.slack.bot_token),
            "slack_app_token": SecretStr(self.slack.app_token),
            "slack_api_url": self.slack.api_url,
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

    @asynccontextmanager
    async def bot(
        self, agents: str = "", *, gap_seconds: float = 30, **changes: object
    ) -> AsyncIterator[Bot]:
        """A bot, connected; stopped as by SIGTERM at the end."""
        async with AsyncExitStack() as opened:
            runtime = await Runtime.open(self.settings(agents, **changes))
            opened.push_async_callback(runtime.close)
            platform = await SlackPlatform.open(runtime)
            opened.push_async_callback(platform.close)
            async with self._running(runtime, platform, gap_seconds) as bot:
                yield bot

    @asynccontextmanager
    async def _running(
        self, runtime: Runtime, platform: SlackPlatform, gap_seconds: float
    ) -> AsyncIterator[Bot]:
        worker = runtime.worker({"slack": platform.adapter})
        runtime.intake.wake_with(worker.wake, worker.edited)
        ways_in = platform.ways_in(worker, Watch(ping_interval=PING_INTERVAL, gap=gap_seconds))
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            drain = runtime.settings.drain_seconds
            group.create_task(worker.run(["slack"], stop, drain))
            group.create_task(ways_in.listener.run(runtime.intake, stop))
            try:
                if ways_in.check:
                    await self.slack.until_connected(2)
                yield Bot(runtime=runtime, worker=worker, ways_in=ways_in, stop=stop)
            finally:
                stop.set()

    def said(self, channel: str, thread: str | None = None) -> list[str]:
        """What bots have said there, finished, in order."""
        return [line.text for line in self.answers(channel, thread)]

    def answers(self, channel: str, thread: str | None = None) -> list[Line]:
        """The finished answers there."""
        lines = self.slack.transcript(channel, thread)
        return [line for line in lines if line.is_bot and "feedback" in line.buttons]

    def whispers(self, channel: str) -> list[str]:
        """What single people were told there."""
        lines = self.slack.transcript(channel)
        return [line.text for line in lines if line.kind == "ephemeral"]

    async def answered(self, channel: str, count: int = 1) -> list[str]:
        """The answers there, once there are that many."""
        await self.slack.until(lambda: len(self.answers(channel)) >= count)
        return self.said(channel)

    @asynccontextmanager
    async def locked(self) -> AsyncIterator[None]:
        """Another program writes to the database, and takes its time."""
        with closing(sqlite3.connect(self.database, timeout=0, isolation_level=None)) as other:
            while not other.in_transaction:
                try:
                    other.execute("BEGIN IMMEDIATE")
                except sqlite3.OperationalError:  # the bot is writing; it needs this event loop
                    await asyncio.sleep(0.005)
            yield

    def change(self, statement: str) -> None:
        """Change what the database holds, behind the back of everybody."""
        with closing(sqlite3.connect(self.database)) as other, other:
            other.execute(statement)

    def rows(self, statement: str) -> list[tuple[object, ...]]:
        """What the database holds."""
        with closing(sqlite3.connect(self.database)) as other:
            return list(other.execute(statement))


@dataclass(frozen=True, kw_only=True)
class Bot:
    """A running bot."""

    runtime: Runtime
    worker: Worker
    ways_in: WaysIn
    stop: asyncio.Event

    async def caught_up(self) -> None:
        """Return once what was missed before the start is in the inbox."""
        listener = self.ways_in.listener
        assert isinstance(listener, SocketListener)
        await listener.caught_up()

    @property
    def clients(self) -> list[Client]:
        """The SDK's, behind its sockets."""
        listener = self.ways_in.listener
        assert isinstance(listener, SocketListener)
        return list(chain.from_iterable(each.clients for each in listener._connections))

    @property
    def in_hand(self) -> int:
        """The deliveries by its sockets that are not done with."""
        return sum(len(client.in_hand) for client in self.clients)


def granted(slack: SlackPeer, team: str, runtime: Runtime) -> Grant:
    """What Slack gave when the bot was installed there."""
    known = slack.backend.world.teams[team]
    return Grant(
        team=team,
        team_name=known.name,
        bot_token=f"xoxb-{team}-peer",
        bot_id=known.bot_id,
        bot_user=known.bot_user,
        scopes=("chat:write",),
        installed_by="U0ADMIN",
        installed_at=runtime.clock(),
    )
