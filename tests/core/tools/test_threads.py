"""Tools that are not async and hang take no thread from others, and the process still ends."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path

import pytest

from core.tools import threads
from core.tools.threads import in_thread
from tests.forked import Life, cold
from tests.patience import PATIENCE

ROOT = Path(__file__).parents[3]
HANGS = """
import asyncio, threading
from core.tools.threads import in_thread

async def main():
    try:
        async with asyncio.timeout(0.1):
            await in_thread(1, threading.Event().wait)
    except TimeoutError:
        print("given up")

asyncio.run(main())
"""

said = ContextVar("what a test says", default="")


@dataclass(frozen=True, slots=True)
class Hung:
    """Calls of one agent, as many as there is room for; they end when `end` is set."""

    calls: list[asyncio.Task[bool]]
    end: threading.Event


@pytest.fixture
async def hung() -> AsyncIterator[Hung]:
    end, started = threading.Event(), threading.Semaphore(0)

    def hang() -> bool:
        started.release()
        return end.wait()

    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        calls = [group.create_task(in_thread(1, hang)) for _ in range(threads._MOST)]
        for _ in calls:
            await asyncio.to_thread(started.acquire)
        yield Hung(calls, end)
        end.set()


async def test_calls_that_hang_take_no_thread_from_another_agent(hung: Hung) -> None:
    assert await in_thread(2, lambda: "quick") == "quick"


@pytest.mark.parametrize("are_cancelled", [False, True])
async def test_one_more_call_waits_until_another_one_ends(hung: Hung, are_cancelled: bool) -> None:
    """Cancelling one does not end its thread."""
    async with asyncio.TaskGroup() as group:
        if are_cancelled:
            for call in hung.calls:
                call.cancel()
            await asyncio.wait(hung.calls)
        one_more = group.create_task(in_thread(1, lambda: "at last"))
        assert await in_thread(2, lambda: "quick") == "quick"
        assert not one_more.done()
        hung.end.set()
    assert one_more.result() == "at last"


async def test_it_sees_what_whoever_calls_it_sees() -> None:
    said.set("hello")
    assert await in_thread(1, said.get) == "hello"


async def test_the_process_ends_while_one_hangs() -> None:
    ended = await cold(Life(arguments=(), folder=ROOT, environment={}, source=HANGS))
    assert (ended.code, ended.out) == (0, "given up\n")
