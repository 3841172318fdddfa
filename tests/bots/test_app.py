"""The composition root: started, stopped by a signal, drained."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator

import pytest

from bots import app
from core.caller import CallerAdapter
from core.intake import Intake
from core.runtime import Runtime
from core.settings import Settings


class Waiting:
    """A listener to which nobody speaks; it sends its own process a signal as it starts."""

    def __init__(self, number: signal.Signals) -> None:
        self.has_stopped = False
        self._number = number

    async def run(self, intake: Intake, stop: asyncio.Event) -> None:
        """Wait for the end."""
        os.kill(os.getpid(), self._number)
        await stop.wait()
        self.has_stopped = True


@pytest.fixture
async def runtime(filled_url: str) -> AsyncIterator[Runtime]:
    """An open runtime."""
    runtime = await Runtime.open(Settings(database_url=filled_url))
    yield runtime
    await runtime.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_stops_listeners_and_drains(
    runtime: Runtime, number: signal.Signals, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="bots.app")
    listener = Waiting(number)
    worker = runtime.worker({"python": CallerAdapter()})
    await app.run(runtime, worker, [listener], ["python/main"])
    assert listener.has_stopped
    said = [record.getMessage() for record in caplog.records if record.name == "bots.app"]
    assert said[0] == "started"
    assert {"stopping", "listener stopped", "worker drained"} <= set(said)
    assert said[-1] == "stopped"
