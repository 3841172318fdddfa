"""The composition root of the bot: listeners and the worker in one group, from start to drain."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Sequence
from typing import Protocol

from core.intake import Intake
from core.runtime import Runtime
from core.worker import Worker

log = logging.getLogger(__name__)


class Listener(Protocol):
    """The way in from one platform."""

    async def run(self, intake: Intake, stop: asyncio.Event) -> None:
        """Give the intake every message until `stop`; accept nothing after it."""
        ...


async def run(
    runtime: Runtime, worker: Worker, listeners: Sequence[Listener], queues: Sequence[str]
) -> None:
    """Serve until SIGTERM or SIGINT, then drain: no new messages, running turns to their end.

    What does not end within the drain time is handed over to the next process, and a listener
    that still listens then is cut off.
    """
    stop = _stop_at_signals()
    runtime.intake.wake_with(worker.wake)
    async with asyncio.TaskGroup() as group:
        group.create_task(_say_when(stop))
        listening = [
            group.create_task(_listen(listener, runtime.intake, stop)) for listener in listeners
        ]
        log.info("started", extra={"queues": ",".join(queues)})
        await worker.run(queues, stop, runtime.settings.drain_seconds)
        log.info("worker drained")
        for task in listening:
            task.cancel()
    log.info("stopped")


def _stop_at_signals() -> asyncio.Event:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop


async def _say_when(stop: asyncio.Event) -> None:
    await stop.wait()
    log.info("stopping")


async def _listen(listener: Listener, intake: Intake, stop: asyncio.Event) -> None:
    await listener.run(intake, stop)
    log.info("listener stopped", extra={"listener": type(listener).__name__})
