"""The composition root of the bot: listeners and the worker in one group, from start to drain."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Sequence

from bots.listening import Listener, Port
from core.errors import ConfigMistake
from core.messaging.intake import Intake
from core.runtime import Runtime
from core.turn.worker import Worker

log = logging.getLogger(__name__)

_GRACE_SECONDS = 2.0  # that the database has after the drain time for what it was asked by then
_LAST_SECONDS = 5.0  # that listeners have for what is in hand once the worker has drained


async def run(
    runtime: Runtime,
    worker: Worker,
    listeners: Sequence[Listener],
    queues: Sequence[str],
    stop: asyncio.Event,
    hang_up: asyncio.Event | None = None,
) -> None:
    """Serve until `stop`, then drain: no new messages, running turns to their end.

    What does not end within the drain time is handed over to the next process, and a listener
    that still listens some seconds later is cut off. Without queues nothing is answered here.
    `hang_up` reloads the agents file, as often as it is set.
    """
    runtime.intake.wake_with(worker.wake, worker.edited)
    drain_seconds = runtime.settings.drain_seconds if queues else 0
    async with asyncio.TaskGroup() as group:
        stopping = group.create_task(_hurry_at(stop, runtime, drain_seconds))
        listening = {
            group.create_task(_listen(each, runtime.intake, stop)): each for each in listeners
        }
        reloading = group.create_task(_reload_at(hang_up or asyncio.Event(), runtime))
        log.info("started", extra={"queues": ",".join(queues)})
        if queues:
            keeping = group.create_task(runtime.keep_up(stop))
            await asyncio.to_thread(runtime.warm_up)
            await worker.run(queues, stop, drain_seconds)
            log.info("worker drained")
            keeping.cancel()
            ending = [task for task, each in listening.items() if not isinstance(each, Port)]
        else:
            await stop.wait()
            ending = list(listening)
        if ending:
            left = await stopping + _LAST_SECONDS - asyncio.get_running_loop().time()
            await asyncio.wait(ending, timeout=min(left, _LAST_SECONDS))
        for task in (reloading, *listening):
            task.cancel()
    log.info("stopped")


def stop_at_signals() -> asyncio.Event:
    """Set by SIGTERM and by SIGINT from now on."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop


def hang_up_at_signal() -> asyncio.Event:
    """An event that SIGHUP sets from now on; without it, SIGHUP would end the process."""
    hang_up = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, hang_up.set)
    return hang_up


async def _reload_at(hang_up: asyncio.Event, runtime: Runtime) -> None:
    while True:
        await hang_up.wait()
        hang_up.clear()
        try:
            await runtime.reload()
        except ConfigMistake as mistake:
            for line in str(mistake).splitlines():
                log.error("agents file not reloaded", extra={"why": line})  # noqa: TRY400  # the mistake is in the file
        else:
            log.info("agents file reloaded", extra={"agents": len(runtime.agents_file.agents)})


async def _hurry_at(stop: asyncio.Event, runtime: Runtime, drain_seconds: float) -> float:
    """The moment when running turns have to have ended, by the clock of the event loop.

    A database that is away is not waited for much longer: it would say nothing to the last turn,
    to the listeners and at the end, one after the other.
    """
    await stop.wait()
    log.info("stopping")
    runtime.hurry(drain_seconds + _GRACE_SECONDS)
    return asyncio.get_running_loop().time() + drain_seconds


async def _listen(listener: Listener, intake: Intake, stop: asyncio.Event) -> None:
    await listener.run(intake, stop)
    log.info("listener stopped", extra={"listener": type(listener).__name__})
