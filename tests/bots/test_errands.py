"""What may be done later is done one after the other, and only so much of it waits."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest

from bots.errands import Errands
from tests.patience import PATIENCE


async def test_what_there_is_no_room_for_is_left_out(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("bots.errands._MOST", 3)
    errands, done, is_done = Errands(), list[int](), asyncio.Event()

    async def errand(number: int) -> None:
        done.append(number)
        if number == 2:
            is_done.set()

    for number in range(5):
        errands.add("an errand", partial(errand, number))
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        running = group.create_task(errands.run())
        await is_done.wait()
        running.cancel()
    assert done == [0, 1, 2]
    assert caplog.messages == ["errand left out"] * 2
