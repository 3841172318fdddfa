"""Starts, kills and stops the bot's process."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """Where the bot's processes run: their folder, board and model endpoint."""

    folder: Path
    board: str
    endpoint: str
    database: str

    @property
    def environment(self) -> dict[str, str]:
        """What the processes see; nothing of the tester's own settings."""
        return {
            "PATH": os.environ["PATH"],  # noqa: TID251
            "PYTHONPATH": str(ROOT),
            "DATABASE_URL": self.database,
            "OPENAI_BASE_URL": self.endpoint,
            "OPENAI_API_KEY": "test-key",
            "MOORINGS_LEASE_SECONDS": "2",
            "MOORINGS_DRAIN_SECONDS": "5",
        }

    async def start(self, *fault: str) -> asyncio.subprocess.Process:
        """A bot; with a place and a count, one that will kill itself there."""
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.journeys.bot",
            self.board,
            *fault,
            cwd=self.folder,
            env=self.environment,
            stderr=asyncio.subprocess.PIPE,
        )


async def ended(process: asyncio.subprocess.Process) -> int:
    """The exit status, once the process ended by itself."""
    async with asyncio.timeout(30):
        _, errors = await process.communicate()
    assert process.returncode is not None
    assert b"Traceback" not in errors, errors.decode()
    return process.returncode


@asynccontextmanager
async def running(where: Surroundings) -> AsyncIterator[asyncio.subprocess.Process]:
    """A bot that runs meanwhile and is asked to stop at the end."""
    process = await where.start()
    try:
        yield process
        process.send_signal(signal.SIGTERM)
        assert await ended(process) == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
