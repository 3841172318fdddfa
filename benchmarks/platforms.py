"""How many messages a second does the bot answer on each platform, and what does one cost it?

    python -m benchmarks.platforms [FOLDER …]

`moorings run` in a process of its own answers people in 50 channels of a test peer, one question
after the other in each. With folders of other commits, the program of each is measured too, round
by round in turns with this one, and what is printed ends with the ratios of processor time and of
pace, this one's to theirs: the medians of the rounds. Nothing is held back for the platforms'
limits. The peer has a process of its own as well: where it is the slower one, only processor
time tells.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from statistics import median
from typing import Protocol

from benchmarks.endpoint import endpoint
from tests.peers.discord import transcript
from tests.peers.discord.peer import DiscordPeer
from tests.peers.slack import reading
from tests.peers.slack.peer import SlackPeer

HERE = Path(__file__).parents[1]
CHANNELS = 50
TURNS = 6  # in each channel, a round
ROUNDS = 5
TICKS = os.sysconf("SC_CLK_TCK")
AGENTS = '[agents.bench]\nmodel = "8"\ntools = []\n'
BOT = """
import sys
from bots.__main__ import main
from bots.slack import rates
rates._TIERS = {tier: 1000 * calls for tier, calls in rates._TIERS.items()}
rates._POST_SECONDS /= 1000
sys.argv = ["moorings", "run", *sys.argv[1:]]
main()
"""


class Peer(Protocol):
    """A platform with as many channels."""

    @property
    def environment(self) -> Mapping[str, str]:
        """What the bot is told of it."""
        ...

    async def until_connected(self) -> None:
        """Whatever is said from now on reaches the bot."""
        ...

    def say(self, number: int, text: str) -> None:
        """Ask the bot in this channel."""
        ...

    def is_answered(self, number: int) -> bool:
        """Whether the last thing that was said there is a finished answer."""
        ...


class Slack:
    """Each question opens a thread, as a mention in a channel does."""

    def __init__(self, peer: SlackPeer) -> None:
        self.peer = peer
        self._channels = [f"C0BENCH{number}" for number in range(CHANNELS)]
        for channel in self._channels:
            peer.add_channel(channel)
        self.environment: Mapping[str, str] = {
            "SLACK_BOT_TOKEN": peer.bot_token,
            "SLACK_APP_TOKEN": peer.app_token,
            "SLACK_API_URL": peer.api_url,
        }

    async def until_connected(self) -> None:
        """By both sockets."""
        await self.peer.until_connected(2)

    def say(self, number: int, text: str) -> None:
        """By a mention."""
        self.peer.say(self._channels[number], "U0ANNA", f"{self.peer.mention} {text}")

    def is_answered(self, number: int) -> bool:
        """By its buttons."""
        messages = self.peer.backend.world.channels[self._channels[number]].messages
        last = next(reversed(messages.values()))
        return "bot_id" in last and "feedback" in reading.labels(last)


class Discord:
    """Each channel is one conversation."""

    def __init__(self, peer: DiscordPeer) -> None:
        self._peer = peer
        self._channels = [peer.add_channel(f"bench{number}") for number in range(CHANNELS)]
        self.environment: Mapping[str, str] = {
            "DISCORD_TOKEN": peer.token,
            "DISCORD_API_URL": peer.api_url,
        }

    async def until_connected(self) -> None:
        """By a session."""
        await self._peer.until_connected()

    def say(self, number: int, text: str) -> None:
        """By a mention."""
        self._peer.say(self._channels[number], self._peer.anna, f"{self._peer.mention} {text}")

    def is_answered(self, number: int) -> bool:
        """By its buttons."""
        world = self._peer.backend.world
        last = next(reversed(world.channels[self._channels[number]].messages.values()))
        return "Again" in transcript.line_of(world, last).buttons


@asynccontextmanager
async def slack() -> AsyncGenerator[Slack]:
    """A workspace."""
    async with SlackPeer() as peer:
        yield Slack(peer)


@asynccontextmanager
async def discord() -> AsyncGenerator[Discord]:
    """A server."""
    async with DiscordPeer() as peer:
        yield Discord(peer)


PLATFORMS: Mapping[str, Callable[[], AbstractAsyncContextManager[Peer]]] = {
    "slack": slack,
    "discord": discord,
}


async def measured(peer: Peer, program: Path, base_url: str) -> tuple[float, float]:
    """Messages a second, and milliseconds of the bot's processor time for each."""
    async with bot(peer.environment, program, base_url) as process:
        await peer.until_connected()
        await _all_talk(peer, 1)
        wall, processor = time.perf_counter(), spent(process)
        await _all_talk(peer, TURNS)
        wall, processor = time.perf_counter() - wall, spent(process) - processor
    return CHANNELS * TURNS / wall, processor * 1000 / (CHANNELS * TURNS)


async def _all_talk(peer: Peer, turns: int) -> None:
    async with asyncio.TaskGroup() as group:
        for number in range(CHANNELS):
            group.create_task(_talk(peer, number, turns))


async def _talk(peer: Peer, number: int, turns: int) -> None:
    for turn in range(turns):
        peer.say(number, f"question {turn}")
        while not peer.is_answered(number):  # noqa: ASYNC110  # the peer says nothing by itself
            await asyncio.sleep(0.02)


@asynccontextmanager
async def bot(
    given: Mapping[str, str],
    program: Path,
    base_url: str,
    arguments: Sequence[str] = (),
    agents: str = AGENTS,
) -> AsyncGenerator[int]:
    """The id of the process."""
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "agents.toml")
        config.write_text(agents)  # noqa: ASYNC240  # nothing else goes on
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", BOT, *arguments),
            cwd=folder,
            env={
                **os.environ,  # noqa: TID251  # as a shell gives it on
                **given,
                "PYTHONPATH": str(program),
                "DATABASE_URL": f"sqlite://{folder}/bench.db",
                "MOORINGS_CONFIG": str(config),
                "MOORINGS_CATCH_UP_HOURS": "0",
                "OPENAI_BASE_URL": base_url,
                "OPENAI_API_KEY": "k",
            },
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            yield process.pid
        finally:
            process.send_signal(signal.SIGTERM)
            await process.wait()


def spent(process: int) -> float:
    """Seconds of processor time that a process has used."""
    stat = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(stat[11]) + int(stat[12])) / TICKS


async def main(programs: list[Path], base_url: str) -> None:
    """Measure, print."""
    for name, opened in PLATFORMS.items():
        found: dict[Path, list[tuple[float, float]]] = {program: [] for program in programs}
        for _ in range(ROUNDS):
            for program, rounds in found.items():
                async with opened() as peer:
                    rounds.append(await measured(peer, program, base_url))
        own, *others = found.values()
        for program, rounds in found.items():
            paces, costs = zip(*rounds, strict=True)
            print(
                f"{name:8}{median(paces):6.1f} ({max(paces):.1f}) messages/s,"
                f" {median(costs):.1f} ({min(costs):.1f}) ms of processor time each: {program}"
            )
        for other in others:
            pairs = list(zip(own, other, strict=True))
            pace = median(ours[0] / theirs[0] for ours, theirs in pairs)
            cost = median(theirs[1] / ours[1] for ours, theirs in pairs)
            print(f"{name:8}{pace:6.2f} times as many a second, for 1/{cost:.2f} of processor time")


if __name__ == "__main__":
    with endpoint() as url:
        asyncio.run(main([HERE, *map(Path, sys.argv[1:])], url))
