"""What does it cost until what Slack delivers is stored and acknowledged?

    python -m benchmarks.arrival [FOLDER …]

`moorings run --only slack` in a process of its own hears what people say in 50 channels of a test
peer that an agent listens to, and answers nothing: a burst after the other, by the sockets, each
message once. With folders of other commits, the program of each is measured too, round by round in
turns with this one, and what is printed ends with the ratio of processor time, this one's to
theirs: the median of the rounds.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from statistics import median

from benchmarks.platforms import HERE, Slack, bot, slack, spent
from tests.peers.slack.peer import SlackPeer

ROUNDS = 9
WARM, BURSTS, SIZE = 4, 20, 50  # before it is measured; measured; messages of a burst
AGENTS = """
[agents.bench]
model = "demo"
tools = []
[[bindings]]
at = "slack/T0001"
agent = "bench"
listen = "all"
conversation = "channel"
"""


async def measured(program: Path) -> float:
    """Milliseconds of the bot's processor time for each message."""
    async with slack() as workspace:
        role = ("--only", "slack")
        async with bot(workspace.environment, program, "", role, AGENTS) as process:
            await workspace.until_connected()
            await _said(workspace, WARM)
            before = spent(process)
            await _said(workspace, BURSTS)
            return (spent(process) - before) * 1000 / (BURSTS * SIZE)


async def _said(workspace: Slack, bursts: int) -> None:
    for burst in range(bursts):
        for number in range(SIZE):
            workspace.say(number, f"message {burst} of *several* words, for <@U0BEN>")
        await _acknowledged(workspace.peer)


async def _acknowledged(peer: SlackPeer) -> None:
    while not all(delivery.is_acked for delivery in peer.deliveries):  # noqa: ASYNC110  # as there
        await asyncio.sleep(0.005)
    peer.deliveries.clear()


async def main(programs: list[Path]) -> None:
    """Measure, print."""
    found: dict[Path, list[float]] = {program: [] for program in programs}
    for _ in range(ROUNDS):
        for program, rounds in found.items():
            rounds.append(await measured(program))
    own, *others = found.values()
    for program, rounds in found.items():
        print(f"{median(rounds):.2f} ({min(rounds):.2f}) ms of processor time each: {program}")
    for other in others:
        ratio = median(ours / theirs for ours, theirs in zip(own, other, strict=True))
        print(f"{ratio:.2f} times as much processor time")


if __name__ == "__main__":
    asyncio.run(main([HERE, *map(Path, sys.argv[1:])]))
