"""The Slack bot is killed at random moments; every message has exactly one visible answer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import pytest

from tests.journeys import kills as journey
from tests.journeys import record
from tests.journeys.crowd import noting_slowly
from tests.peers.endpoint import Endpoint
from tests.peers.endpoint.bodies import echo
from tests.peers.slack.deliveries import Delivery, Schedule
from tests.peers.slack.peer import SlackPeer

CHANNELS = [f"C{number:04}" for number in range(5)]
CALM = "C0005"
_DELETED = 0.3  # of those that are edited
MANY = 50  # kills
LONG = [pytest.mark.chaos, pytest.mark.timeout(1800)]


@dataclass(kw_only=True)
class Talk:
    """Ten places, five channels and a thread in each, and what people said there."""

    slack: SlackPeer
    random: Random
    threads: dict[str, str] = field(default_factory=dict)
    commands: list[Delivery] = field(default_factory=list)
    count: int = 0
    calm: str = ""  # what was said last where nobody else speaks
    deleted: set[str] = field(default_factory=set[str])  # the ids of messages
    said: list[tuple[str, str, int]] = field(
        default_factory=list[tuple[str, str, int]]
    )  # and may be edited

    def say(self, messages: int) -> None:
        """Somebody says something somewhere, that many times."""
        for _ in range(messages):
            channel = self.random.choice(CHANNELS)
            thread = self.threads.get(channel) if self.random.random() < 0.5 else None
            self.count += 1
            user = self.random.choice(["U0ANNA", "U0BEN"])
            ts = self.slack.say(channel, user, f"message #{self.count}", thread=thread)
            if thread or channel in self.threads:  # a thread keeps its beginning
                self.said = [*self.said[-9:], (channel, ts, self.count)]
            self.threads.setdefault(channel, ts)

    def go_on(self) -> None:
        """Somebody says one more thing where nobody else speaks."""
        self.count += 1
        self.calm = self.slack.say(CALM, "U0ANNA", f"message #{self.count}")

    def correct(self) -> None:
        """The same person edits that."""
        self.slack.edit(CALM, self.calm, f"message #{self.count}, edited")

    def command(self) -> None:
        """Somebody asks by command."""
        channel = self.random.choice(CHANNELS)
        text = f"ask command #c{len(self.commands)}"
        self.commands.append(self.slack.command("/agent", text, channel, "U0ANNA"))

    def think_again(self) -> None:
        """Somebody edits what they said lately, or deletes it."""
        if not self.said:
            return
        channel, ts, number = self.said.pop(self.random.randrange(len(self.said)))
        if self.random.random() < _DELETED:
            self.slack.delete(channel, ts)
            self.deleted.add(ts)
        else:
            self.slack.edit(channel, ts, f"message #{number}, edited")


@pytest.fixture
async def slack() -> AsyncIterator[SlackPeer]:
    async with SlackPeer(seed=7, schedule=Schedule(deadline=1, retries=(0, 1, 3))) as peer:
        for channel in (*CHANNELS, CALM):
            peer.add_channel(channel)
        yield peer


@pytest.mark.parametrize(
    ("kills", "messages", "trouble", "edits"),
    [
        (3, 16, False, False),
        (4, 20, False, True),
        pytest.param(200, 300, True, False, marks=LONG),
        pytest.param(100, 200, True, True, marks=LONG),
    ],
)
async def test_every_message_has_one_visible_answer(
    tmp_path: Path,
    filled_url: str,
    slack: SlackPeer,
    kills: int,
    messages: int,
    *,
    trouble: bool,
    edits: bool,
) -> None:
    if trouble:
        for method in ("chat.postMessage", "chat.startStream"):
            slack.fault(method, "drop_after_commit", probability=0.1)
        for method in ("chat.postMessage", "chat.startStream", "chat.update", "chat.stopStream"):
            slack.fault(method, "ratelimited", probability=0.1)
    talk = Talk(slack=slack, random=Random(kills))  # noqa: S311  # chance, no secret
    agents = journey.NOTING if edits else journey.AGENTS
    (tmp_path / "agents.toml").write_text(agents.format("slack/T0001", "channel"))
    answer = (
        noting_slowly if edits else echo
    )  # what is said while a tool is at work joins the answer
    async with record.kept(filled_url), Endpoint(answer, pause=0.02) as endpoint:
        environment = {
            "DATABASE_URL": filled_url,
            "OPENAI_BASE_URL": endpoint.base_url,
            "OPENAI_API_KEY": "test-key",
            "SLACK_BOT_TOKEN": slack.bot_token,
            "SLACK_APP_TOKEN": slack.app_token,
            "SLACK_API_URL": slack.api_url,
            "MOORINGS_LEASE_SECONDS": "3",
        }
        await journey.first_start(["slack/T0001"], tmp_path, environment)
        await journey.killed_while(talk, messages, kills, tmp_path, environment, edits=edits)
        await journey.let_end(talk, tmp_path, environment)
        await record.check(deleted=talk.deleted)
        await _check_what_is_seen(talk)
        if edits and kills > MANY:
            assert await record.has_joined()
            assert await record.has_begun_again()


async def _check_what_is_seen(talk: Talk) -> None:
    lines = [line for channel in (*CHANNELS, CALM) for line in talk.slack.transcript(channel)]
    seen = [line for line in lines if line.is_bot and line.kind != "ephemeral"]
    dangling = [each for each in seen if each.is_streaming or "Stop" in each.buttons]
    assert not [*dangling, *(each for each in seen if each.kind == "status")]
    shown = {line.ts: record.MARKER.findall(line.text) for line in seen}
    assert len(shown) == len(seen)
    assert shown == await record.visible()  # nothing shown twice, nothing left dangling
    acknowledged = [each for each in talk.commands if each.is_acked]
    keys = {f"slack/T0001/cmd/{each.payload['trigger_id']}" for each in acknowledged}
    assert keys <= await record.commanded()
