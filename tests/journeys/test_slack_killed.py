"""The Slack bot is killed at random moments; every message has exactly one visible answer."""

from __future__ import annotations

import asyncio
import re
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import pytest

from tests.journeys import processes, program
from tests.peers.endpoint import Endpoint
from tests.peers.slack.deliveries import Delivery, Schedule
from tests.peers.slack.peer import SlackPeer

AGENTS = """
[agents.assistant]
model = "gpt-4o"
tools = []

[[bindings]]
at = "slack/T0001"
agent = "assistant"
listen = "all"
conversation = "channel"
"""
CHANNELS = [f"C{number:04}" for number in range(5)]
OVERTAKEN = """
SELECT late.text, early.text FROM inbox AS late JOIN inbox AS early
ON late.conversation_id = early.conversation_id AND early.position < late.position
WHERE early.turn_id > late.turn_id
"""  # what was said earlier and answered later
DELIVERED = """
SELECT substr(conversation.address, 13, 5), outbox.message_id, outbox.text
FROM outbox JOIN conversation ON conversation.id = outbox.conversation_id
"""
UNSHOWN = """
SELECT inbox.text, count(outbox.id) FROM inbox LEFT JOIN outbox ON outbox.turn_id = inbox.turn_id
GROUP BY inbox.id HAVING count(outbox.id) != 1
"""  # questions whose turn is not exactly one visible message
MARKER = re.compile(r"#\w+")


@dataclass(kw_only=True)
class Talk:
    """Ten places, five channels and a thread in each, and what people said there."""

    slack: SlackPeer
    random: Random
    threads: dict[str, str] = field(default_factory=dict)
    commands: list[Delivery] = field(default_factory=list)
    count: int = 0

    def say(self, messages: int) -> None:
        """Somebody says something somewhere, that many times."""
        for _ in range(messages):
            channel = self.random.choice(CHANNELS)
            thread = self.threads.get(channel) if self.random.random() < 0.5 else None
            self.count += 1
            user = self.random.choice(["U0ANNA", "U0BEN"])
            ts = self.slack.say(channel, user, f"message #{self.count}", thread=thread)
            self.threads.setdefault(channel, ts)

    def command(self) -> None:
        """Somebody asks by command, which Slack delivers once or not at all."""
        channel = self.random.choice(CHANNELS)
        text = f"ask command #c{len(self.commands)}"
        self.commands.append(self.slack.command("/agent", text, channel, "U0ANNA"))


@pytest.fixture
async def slack() -> AsyncIterator[SlackPeer]:
    async with SlackPeer(seed=7, schedule=Schedule(deadline=1, retries=(0, 1, 3))) as peer:
        for channel in CHANNELS:
            peer.add_channel(channel)
        yield peer


@pytest.mark.parametrize(
    ("kills", "messages", "trouble"),
    [
        (12, 60, False),
        pytest.param(200, 500, False, marks=[pytest.mark.chaos, pytest.mark.timeout(1800)]),
        pytest.param(200, 500, True, marks=[pytest.mark.chaos, pytest.mark.timeout(1800)]),
    ],
)
async def test_every_message_has_one_visible_answer(
    tmp_path: Path, slack: SlackPeer, kills: int, messages: int, *, trouble: bool
) -> None:
    if trouble:
        slack.fault("chat.postMessage", "drop_after_commit", probability=0.1)
        slack.fault("chat.postMessage", "ratelimited", probability=0.1)
        slack.fault("chat.update", "ratelimited", probability=0.1)
    talk = Talk(slack=slack, random=Random(kills))  # noqa: S311
    (tmp_path / "agents.toml").write_text(AGENTS)
    async with Endpoint(pause=0.02) as endpoint:
        environment = {
            "DATABASE_URL": "sqlite://./moorings.db",
            "OPENAI_BASE_URL": endpoint.base_url,
            "OPENAI_API_KEY": "test-key",
            "SLACK_BOT_TOKEN": slack.bot_token,
            "SLACK_APP_TOKEN": slack.app_token,
            "SLACK_API_URL": slack.api_url,
            "MOORINGS_LEASE_SECONDS": "3",
        }
        await _first_start(slack, tmp_path, environment)
        for turn in range(kills):
            talk.say(messages * (turn + 1) // kills - talk.count)
            bot = processes.start(program.moorings, tmp_path, environment, "run")
            await asyncio.sleep(talk.random.uniform(0.1, 1.7))
            talk.command()
            await asyncio.sleep(talk.random.uniform(0.1, 1.7))  # the random moment
            assert await processes.killed(bot) == -9
        bot = processes.start(program.moorings, tmp_path, environment, "run")
        await slack.until(lambda: _all_ended(tmp_path, talk.count), within=240)
        assert await processes.asked_to_stop(bot) == 0
    _check(talk, tmp_path)


async def _first_start(slack: SlackPeer, folder: Path, environment: dict[str, str]) -> None:
    """The first start sets the cursors: what is said later is not a backlog."""
    bot = processes.start(program.moorings, folder, environment, "run")
    await slack.until_connected(2)
    await slack.until(lambda: _rows(folder, "SELECT 1 FROM cursor WHERE name = 'slack/T0001'"))
    assert await processes.asked_to_stop(bot) == 0


def _rows(folder: Path, statement: str) -> list[tuple[str, ...]]:
    with closing(sqlite3.connect(folder / "moorings.db")) as database:
        return list(database.execute(statement))


def _all_ended(folder: Path, count: int) -> bool:
    said = _rows(folder, "SELECT key FROM inbox WHERE key NOT LIKE '%/cmd/%'")
    open_ones = _rows(folder, "SELECT key FROM inbox WHERE state NOT IN ('answered', 'failed')")
    due = _rows(folder, "SELECT key FROM outbox WHERE state != 'delivered'")
    return len(said) == count and not open_ones and not due


def _check(talk: Talk, folder: Path) -> None:
    slack = talk.slack
    delivered = _rows(folder, DELIVERED)
    on_record = {(channel, ts): text for channel, ts, text in delivered}
    seen = {
        (channel, line.ts): line
        for channel in CHANNELS
        for line in slack.transcript(channel)
        if line.is_bot and line.kind != "ephemeral"
    }
    assert seen.keys() == on_record.keys()  # nothing shown twice, nothing left dangling
    assert not [line for line in seen.values() if line.kind == "status" or "Stop" in line.buttons]
    assert {place: MARKER.findall(line.text) for place, line in seen.items()} == {
        place: MARKER.findall(text) for place, text in on_record.items()
    }
    stored = {key for (key,) in _rows(folder, "SELECT key FROM inbox WHERE key LIKE '%/cmd/%'")}
    assert {_key(command) for command in talk.commands if command.is_acked} <= stored
    assert not _rows(folder, UNSHOWN)
    assert not _rows(folder, OVERTAKEN)


def _key(command: Delivery) -> str:
    return f"slack/T0001/cmd/{command.payload['trigger_id']}"
