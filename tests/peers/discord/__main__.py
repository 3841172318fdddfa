"""`python -m tests.peers.discord`: the peer as a process; one JSON line says where it listens."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys

from tests.peers.discord.control import Control
from tests.peers.discord.peer import DiscordPeer


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.peers.discord")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--nonce-seconds", type=float, default=180.0)
    parser.add_argument("--limit-rates", action="store_true")
    return parser.parse_args()


async def _serve(options: argparse.Namespace) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with DiscordPeer(
        port=options.port,
        seed=options.seed,
        nonce_seconds=options.nonce_seconds,
        limit_rates=options.limit_rates,
    ) as discord:
        sys.stdout.write(json.dumps(Control(discord).about()) + "\n")
        sys.stdout.flush()
        await stop.wait()


if __name__ == "__main__":
    asyncio.run(_serve(_options()))
