"""Processes that are killed with real signals, forked from one that has imported everything."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.process import BaseProcess

from tests.forked import FORKED
from tests.patience import PATIENCE


def start(life: Callable[..., None], *arguments: object) -> BaseProcess:  # type: ignore[explicit-any]  # each life has its own
    """A process that lives as the function says."""
    process = FORKED.Process(target=life, args=arguments, daemon=True)
    process.start()
    return process


async def ended(process: BaseProcess) -> int:
    """The exit status, once the process has ended; negative is the signal that killed it."""
    over = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(process.sentinel, over.set)
    try:
        async with asyncio.timeout(PATIENCE):
            await over.wait()
    finally:
        loop.remove_reader(process.sentinel)
    process.join()
    assert process.exitcode is not None
    return process.exitcode


async def asked_to_stop(process: BaseProcess) -> int:
    """The exit status after SIGTERM."""
    assert process.pid
    with suppress(ProcessLookupError):  # it has just ended, and its status says why
        os.kill(process.pid, signal.SIGTERM)
    return await ended(process)


async def killed(process: BaseProcess) -> int:
    """The exit status after SIGKILL."""
    process.kill()
    return await ended(process)
