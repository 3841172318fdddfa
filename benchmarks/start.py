"""What does it cost to start: processor time and peak memory of the commands people type most.

    python -m benchmarks.start

Each is a process of its own with nothing warm but the disk: help, one question to the offline demo,
one through an endpoint, and the bot on both platforms until it is ready. Prints the median of the
rounds in seconds of processor time, and in MB.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from statistics import median

import aiohttp

from benchmarks.endpoint import endpoint
from tests.peers.discord.peer import DiscordPeer
from tests.peers.slack.peer import SlackPeer

Command = tuple[Mapping[str, str], list[str]]  # its environment and its arguments

ROUNDS = 5
ROOT = str(Path(__file__).parents[1])


async def started(environment: Mapping[str, str], *arguments: str) -> tuple[float, float]:
    """Seconds of processor time and megabytes of a command; a bot is stopped once it is ready."""
    with tempfile.TemporaryDirectory() as folder:
        known = {"PYTHONPATH": ROOT, "HOME": folder, "USER": "ana", **environment}
        process = subprocess.Popen(  # noqa: ASYNC220, S603  # ours; its usage is asked of wait4
            [sys.executable, "-m", "bots", *arguments],
            cwd=folder,
            env=known,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        if port := environment.get("PORT"):
            await _ready(f"http://127.0.0.1:{port}/readyz")
            process.send_signal(signal.SIGTERM)
        _, status, usage = await asyncio.to_thread(os.wait4, process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{arguments} ended with status {process.returncode}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


async def _ready(site: str) -> None:
    async with aiohttp.ClientSession() as http:
        while True:
            with suppress(aiohttp.ClientError):
                async with http.get(site) as response:
                    if response.status == 200:
                        return
            await asyncio.sleep(0.1)


async def main(base_url: str) -> None:
    """Measure in turns, print."""
    model = {"OPENAI_BASE_URL": base_url, "OPENAI_API_KEY": "k"}
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    async with SlackPeer() as slack, DiscordPeer() as discord:
        platforms = {
            "SLACK_BOT_TOKEN": slack.bot_token,
            "SLACK_APP_TOKEN": slack.app_token,
            "SLACK_API_URL": slack.api_url,
            "DISCORD_TOKEN": discord.token,
            "DISCORD_API_URL": discord.api_url,
            "PORT": str(port),
        }
        commands: dict[str, Command] = {
            "--help": ({}, ["--help"]),
            "ask, demo": ({}, ["ask", "assistant", "hello"]),
            "ask, endpoint": (model, ["ask", "assistant", "hello"]),
            "run": ({**model, **platforms}, ["run"]),
        }
        rounds = [
            {name: await started(known, *typed) for name, (known, typed) in commands.items()}
            for _ in range(ROUNDS)
        ]
    for name in commands:
        seconds, size = (median(each[name][at] for each in rounds) for at in (0, 1))
        print(f"{name:>13}: {seconds:.2f} s, {size:.0f} MB")


if __name__ == "__main__":
    with endpoint() as url:
        asyncio.run(main(url))
