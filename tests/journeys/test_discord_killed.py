"""The Discord bot is killed at random moments; every message has exactly one visible answer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import pytest

from tests.journeys import kills as journey
from tests.journeys import record
from tests.journeys.crowd import noting_slowly
from tests.peers.discord.interactions import Interaction
from tests.peers.discord.peer import DiscordPeer
from tests.peers.endpoint import Endpoint
from tests.peers.endpoint.bodies import echo

_DELETED = 0.3  # of those that are edited
MANY = 50  # kills
LONG = [pytest.mark.chaos, pytest.mark.timeout(1800)]


@dataclass(kw_only=True)
class Talk:
    """Ten places, five channels and a thread in each, and what people said there."""

    discord: DiscordPeer
    random: Random
    channels: list[str]
    calm: str
    threads: dict[str, str] = field(default_factory=dict)
    commands: list[Interaction] = field(default_factory=list)
    count: int = 0
    last: str = ""  # what was said last where it is calm
    deleted: set[str] = field(default_factory=set[str])  # the ids of messages
    said: list[tuple[str, int]] = field(default_factory=list[tuple[str, int]])  # and may be edited

    @property
    def places(self) -> list[str]:
        """Channels and threads."""
        return [*self.channels, self.calm, *self.threads.values()]

    def say(self, messages: int) -> None:
        """Somebody says something somewhere, that many times."""
        for _ in range(messages):
            channel = self.random.choice(self.channels)
            place = self.threads.get(channel, channel) if self.random.random() < 0.5 else channel
            self.count += 1
            user = self.random.choice([self.discord.anna, self.discord.ben])
            message = self.discord.say(place, user, f"message #{self.count}")
            if channel in self.threads:
                self.said = [*self.said[-9:], (message, self.count)]
            else:
                self.threads[channel] = self.discord.open_thread(message, "more of it", user)

    def go_on(self) -> None:
        """Somebody says one more thing where nobody else speaks."""
        self.count += 1
        self.last = self.discord.say(self.calm, self.discord.anna, f"message #{self.count}")

    def correct(self) -> None:
        """The same person edits that."""
        self.discord.edit(self.last, f"message #{self.count}, edited")

    def command(self) -> None:
        """Somebody asks by command."""
        text = f"command #c{len(self.commands)}"
        channel = self.random.choice(self.channels)
        asked = self.discord.command("/agent ask", {"question": text}, channel, self.discord.anna)
        self.commands.append(asked)

    def think_again(self) -> None:
        """Somebody edits what they said lately, or deletes it."""
        if not self.said:
            return
        message, number = self.said.pop(self.random.randrange(len(self.said)))
        if self.random.random() < _DELETED:
            self.discord.delete(message)
            self.deleted.add(message)
        else:
            self.discord.edit(message, f"message #{number}, edited")


@pytest.fixture
async def discord() -> AsyncIterator[DiscordPeer]:
    async with DiscordPeer(seed=7) as peer:
        peer.starts_left = 1_000_000
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
    discord: DiscordPeer,
    kills: int,
    messages: int,
    *,
    trouble: bool,
    edits: bool,
) -> None:
    if trouble:
        discord.fault("messages.create", "drop_after_commit", probability=0.1)
        for label in ("messages.create", "messages.edit"):
            discord.fault(label, "ratelimited", probability=0.1)
    channels = [discord.add_channel(f"channel-{number}") for number in range(5)]
    calm = discord.add_channel("calm")
    talk = Talk(discord=discord, random=Random(kills), channels=channels, calm=calm)  # noqa: S311  # chance, no secret
    where = f"discord/{discord.guild}"
    agents = journey.NOTING if edits else journey.AGENTS
    (tmp_path / "agents.toml").write_text(agents.format(where, "channel"))
    answer = (
        noting_slowly if edits else echo
    )  # what is said while a tool is at work joins the answer
    async with record.kept(filled_url), Endpoint(answer, pause=0.02) as endpoint:
        environment = {
            "DATABASE_URL": filled_url,
            "OPENAI_BASE_URL": endpoint.base_url,
            "OPENAI_API_KEY": "test-key",
            "DISCORD_TOKEN": discord.token,
            "DISCORD_API_URL": discord.api_url,
            "MOORINGS_LEASE_SECONDS": "3",
        }
        await journey.first_start([f"discord/{discord.guild}"], tmp_path, environment)
        await journey.killed_while(talk, messages, kills, tmp_path, environment, edits=edits)
        await journey.let_end(talk, tmp_path, environment)
        await record.check(deleted=talk.deleted)
        await _check_what_is_seen(talk)
        if edits and kills > MANY:
            assert await record.has_joined()
            assert await record.has_begun_again()


async def _check_what_is_seen(talk: Talk) -> None:
    acknowledgements = {command.response for command in talk.commands}
    lines = [line for place in talk.places for line in talk.discord.transcript(place)]
    seen = [line for line in lines if line.is_bot and line.id not in acknowledgements]
    assert not [line for line in seen if "Stop" in line.buttons or line.is_thinking]
    shown = {line.id: record.MARKER.findall(line.text) for line in seen}
    assert len(shown) == len(seen)
    assert shown == await record.visible()  # nothing shown twice, nothing left dangling
    acknowledged = {command.id for command in talk.commands if command.is_acked}
    assert acknowledged <= {key.rpartition("/")[2] for key in await record.commanded()}
