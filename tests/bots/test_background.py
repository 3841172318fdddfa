"""What may be done later is done one after the other, and only so much of it waits."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest

from bots.background import Background
from tests.patience import PATIENCE


async def test_what_there_is_no_room_for_is_left_out(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("bots.background._MOST", 3)
    background, done, is_done = Background(), list[int](), asyncio.Event()

    async def work(number: int) -> None:
        done.append(number)
        if number == 2:
            is_done.set()

    for number in range(5):
        background.add("some work", partial(work, number))
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        running = group.create_task(background.run())
        await is_done.wait()
        running.cancel()
    assert done == [0, 1, 2]
    assert caplog.messages == ["background work left out"] * 2
