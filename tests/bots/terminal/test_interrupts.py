"""What each Ctrl-C does while somebody waits."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from bots.terminal.interrupts import Interrupts


async def _endless() -> None:
    """Work during which Ctrl-C is pressed, and that never ends by itself."""
    os.kill(os.getpid(), signal.SIGINT)
    await asyncio.Event().wait()


async def test_work_that_nobody_interrupts_has_its_outcome() -> None:
    async def work() -> int:
        return 3

    assert await Interrupts().may_end(work(), lambda: True) == 3


async def test_the_first_stops_what_can_be_stopped() -> None:
    stopped = asyncio.Event()

    async def work() -> str:
        os.kill(os.getpid(), signal.SIGINT)
        await stopped.wait()
        return "stopped"

    def stop() -> bool:
        stopped.set()
        return True

    interrupts = Interrupts()
    assert await interrupts.may_end(work(), stop) == "stopped"
    assert interrupts.is_next_last
    assert not interrupts.are_final


async def test_the_first_ends_a_wait_for_what_cannot_be_stopped() -> None:
    interrupts = Interrupts()
    with pytest.raises(TimeoutError):
        await interrupts.may_end(_endless(), lambda: False)
    assert not interrupts.are_final


async def test_the_second_in_a_row_ends_everything() -> None:
    interrupts = Interrupts()
    interrupts.press()
    with pytest.raises(TimeoutError):
        await interrupts.may_end(_endless(), lambda: True)
    assert interrupts.are_final


async def test_typing_starts_the_count_anew() -> None:
    interrupts = Interrupts()
    interrupts.press()
    interrupts.forget()
    interrupts.press()
    assert not interrupts.are_final
