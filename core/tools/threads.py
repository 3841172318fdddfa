"""Threads for tools that are not async: those that hang take no room from other agents."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from contextvars import copy_context
from functools import partial
from threading import Thread
from typing import TypeVar
from weakref import WeakKeyDictionary

R = TypeVar("R")

_MOST = 16  # at once for one agent

_rooms: WeakKeyDictionary[asyncio.AbstractEventLoop, defaultdict[int, asyncio.Semaphore]] = (
    WeakKeyDictionary()
)


async def in_thread(agent_id: int, function: Callable[[], R]) -> R:
    """What the function returns or raises, called in a thread; waits while the agent's are taken.

    A call that is cancelled goes on and keeps its thread until it ends, but not the process: the
    threads of an executor would be waited for.
    """
    loop = asyncio.get_running_loop()
    room = _rooms.setdefault(loop, defaultdict(partial(asyncio.Semaphore, _MOST)))[agent_id]
    await room.acquire()
    called: Future[R] = Future()
    called.set_running_or_notify_cancel()  # from here on it cannot be cancelled

    def leave(_: Future[R]) -> None:
        with suppress(RuntimeError):  # the loop was closed meanwhile
            loop.call_soon_threadsafe(room.release)

    called.add_done_callback(leave)
    work = partial(copy_context().run, function)
    Thread(target=_call, args=(work, called), name=f"tool-{agent_id}", daemon=True).start()
    return await asyncio.wrap_future(called)


def _call(work: Callable[[], R], called: Future[R]) -> None:
    try:
        result = work()
    except BaseException as error:  # noqa: BLE001  # whoever waits raises it, SystemExit too
        called.set_exception(error)
    else:
        called.set_result(result)
