"""Starts and stops the board's bot."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path

from tests.journeys import bot, processes


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """Where the bot's processes run: their folder, board and model endpoint."""

    folder: Path
    board: str
    endpoint: str
    database: str
    calm_seconds: float = 0.2  # in which it tries no turn alone

    @property
    def environment(self) -> dict[str, str]:
        """What the processes see of the world."""
        return {
            "DATABASE_URL": self.database,
            "OPENAI_BASE_URL": self.endpoint,
            "OPENAI_API_KEY": "test-key",
            "MOORINGS_LEASE_SECONDS": "2",
            "MOORINGS_DRAIN_SECONDS": "5",
        }

    def start(self, *fault: str | int) -> BaseProcess:
        """A bot; with a place and a count, one that will kill itself there."""
        given = (self.folder, self.environment, self.board, self.calm_seconds)
        return processes.start(bot.live, *given, *fault)

    def errors(self) -> str:
        """What all bots have written to standard error."""
        return (self.folder / bot.ERRORS).read_text()


@asynccontextmanager
async def running(where: Surroundings) -> AsyncIterator[BaseProcess]:
    """A bot that runs meanwhile and is asked to stop at the end."""
    process = where.start()
    try:
        yield process
        assert await processes.asked_to_stop(process) == 0
    finally:
        process.kill()
        process.join()
    assert "Traceback" not in where.errors(), where.errors()
