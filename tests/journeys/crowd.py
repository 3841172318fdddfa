"""People in many channels of Slack and Discord, the model that answers them, and what they see."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack
from datetime import datetime
from itertools import cycle
from pathlib import Path
from random import Random
from typing import Self

from core import clock
from storage.models import OutboxMessage
from tests.journeys import diary, record
from tests.journeys.kills import first_start
from tests.peers.discord.peer import DiscordPeer
from tests.peers.endpoint import Behaviour, Body, CallTool, Endpoint, Reply
from tests.peers.slack.deliveries import Schedule
from tests.peers.slack.peer import SlackPeer

LEASE_SECONDS = 3.0
PIECE_SECONDS = 0.02  # between two pieces of an answer
_PLENTY = 1_000_000
_AGENTS = """
[agents.assistant]
model = "gpt-6-luna"
tools = ["tests.journeys.diary:note"]

[[bindings]]
at = "slack/T0001"
agent = "assistant"
listen = "all"
conversation = "channel"

[[bindings]]
at = "discord/{guild}"
agent = "assistant"
listen = "all"
conversation = "channel"
"""


def noting(body: Body) -> str | Behaviour:
    """Notes down what was asked since its last answer, and then answers all of it."""
    return _noting(body, "note")


def noting_slowly(body: Body) -> str | Behaviour:
    """As `noting`, with a tool that takes so long that people say more meanwhile."""
    return _noting(body, "note_slowly")


def _noting(body: Body, tool: str) -> str | Behaviour:
    messages = body["messages"]
    answered = [n for n, each in enumerate(messages) if _is_answer(each["role"], dict(each))]
    asked = messages[answered[-1] + 1 if answered else 0 :]
    words = " ".join(each["content"] or "" for each in asked if each["role"] == "user")
    markers = " ".join(record.MARKER.findall(words))
    if messages[-1]["role"] == "tool":
        return Reply(text=f"I noted {markers}, and shall think of it.", pause=PIECE_SECONDS)
    return CallTool(name=tool, arguments=json.dumps({"item": markers}))


def _model_seconds(answer: str) -> float:
    """A piece has twelve characters; before and after them are one or two without any."""
    return PIECE_SECONDS * (len(answer) // 12 + 2)


def _is_answer(role: str, message: dict[str, object]) -> bool:
    return role == "assistant" and not message.get("tool_calls")


class Crowd:
    """People who say one thing after the other, in one channel after the other."""

    def __init__(self, folder: Path, url: str, *, channels: int, seed: int = 0) -> None:
        """`channels` on each platform; `url` is the bot's database."""
        self.random = Random(seed)  # noqa: S311  # chance, no secret
        self.said: dict[str, datetime] = {}
        self._folder = folder
        self._url = url
        self._count = channels
        self._open = AsyncExitStack()

    async def __aenter__(self) -> Self:
        opened = self._open
        await opened.enter_async_context(record.kept(self._url))
        schedule = Schedule(deadline=1, retries=(0, 1, 3))
        self.slack = await opened.enter_async_context(SlackPeer(schedule=schedule))
        self.discord = await opened.enter_async_context(DiscordPeer())
        self.endpoint = await opened.enter_async_context(Endpoint(noting))
        self.discord.starts_left = _PLENTY
        self._on_slack = [f"C{number:04}" for number in range(self._count)]
        for channel in self._on_slack:
            self.slack.add_channel(channel)
        self._on_discord = [self.discord.add_channel(f"c-{n}") for n in range(self._count)]
        pairs = zip(self._on_slack, self._on_discord, strict=True)
        self._next = cycle([channel for pair in pairs for channel in pair])
        (self._folder / "agents.toml").write_text(_AGENTS.format(guild=self.discord.guild))
        cursors = ["slack/T0001", f"discord/{self.discord.guild}"]
        await first_start(cursors, self._folder, self.environment)
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._open.aclose()

    @property
    def environment(self) -> dict[str, str]:
        """What every replica is given."""
        return {
            "DATABASE_URL": self._url,
            "OPENAI_BASE_URL": self.endpoint.base_url,
            "OPENAI_API_KEY": "test-key",
            "SLACK_BOT_TOKEN": self.slack.bot_token,
            "SLACK_APP_TOKEN": self.slack.app_token,
            "SLACK_API_URL": self.slack.api_url,
            "DISCORD_TOKEN": self.discord.token,
            "DISCORD_API_URL": self.discord.api_url,
            "MOORINGS_LEASE_SECONDS": str(LEASE_SECONDS),
        }

    async def talk(self, messages: int, seconds: float) -> None:
        """Say so many things, evenly over this time."""
        for _ in range(messages):
            self.say()
            await asyncio.sleep(seconds / messages)

    def say(self) -> None:
        """Somebody says something in the next channel."""
        marker, channel = f"#{len(self.said) + 1}", next(self._next)
        self.said[marker] = clock.now()
        if channel in self._on_slack:
            self.slack.say(channel, self.random.choice(["U0ANNA", "U0BEN"]), f"message {marker}")
        else:
            person = self.random.choice([self.discord.anna, self.discord.ben])
            self.discord.say(channel, person, f"message {marker}")

    async def all_answered(self) -> None:
        """Wait until everything that was said has its answer."""
        await record.until(lambda: record.all_ended(len(self.said)))

    async def delays(self) -> list[float]:
        """Seconds from each question to the end of its answer, beyond what the model took."""
        return [
            (row.delivered_at - self.said[marker]).total_seconds() - _model_seconds(row.text)
            for row in await OutboxMessage.filter(delivered_at__not_isnull=True)
            for marker in record.MARKER.findall(row.text)
            if row.delivered_at
        ]

    async def check(self, *, is_anybody_dead: bool = True, may_give_up: bool = False) -> None:
        """One visible answer each, in order, nothing besides, and no finished call made again."""
        await record.check(is_one_process=False, may_give_up=may_give_up)
        await diary.check(self._folder, is_anybody_dead=is_anybody_dead)
        slack = [line for channel in self._on_slack for line in self.slack.transcript(channel)]
        discord = [line for place in self._on_discord for line in self.discord.transcript(place)]
        assert not [line for line in slack if line.is_streaming or line.kind != "message"]
        buttons = [line.buttons for line in slack] + [line.buttons for line in discord]
        assert not [each for each in buttons if "Stop" in each]
        seen = [(line.ts, line.text) for line in slack if line.is_bot]
        seen += [(line.id, line.text) for line in discord if line.is_bot]
        shown = {message_id: record.MARKER.findall(text) for message_id, text in seen}
        assert len(shown) == len(seen)
        assert shown == await record.visible()  # nothing shown twice, nothing left dangling
