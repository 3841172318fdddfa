"""`python -m tests.peers.slack`: the peer as a process; one JSON line says where it listens."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys

from tests.peers.slack.deliveries import Schedule
from tests.peers.slack.peer import SlackPeer


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.peers.slack")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--ack-seconds", type=float, default=3.0)
    parser.add_argument("--retry-seconds", type=float, nargs="*", default=[0.0, 60.0, 300.0])
    parser.add_argument("--limit-rates", action="store_true")
    return parser.parse_args()


async def _serve(options: argparse.Namespace) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    schedule = Schedule(deadline=options.ack_seconds, retries=tuple(options.retry_seconds))
    async with SlackPeer(
        port=options.port, seed=options.seed, schedule=schedule, limit_rates=options.limit_rates
    ) as slack:
        about = {
            "url": slack.url,
            "api_url": slack.api_url,
            "bot_token": slack.bot_token,
            "app_token": slack.app_token,
            "signing_secret": slack.signing_secret,
        }
        sys.stdout.write(json.dumps(about) + "\n")
        sys.stdout.flush()
        await stop.wait()


if __name__ == "__main__":
    asyncio.run(_serve(_options()))
