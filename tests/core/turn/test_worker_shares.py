"""A flood in one channel, or a model that hangs there, does not keep other channels waiting."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime

from core.turn.worker import Worker
from tests.core.given import Stage, tool
from tests.patience import PATIENCE
from tests.peers.model import Then, calling

SLOTS = 8


@asynccontextmanager
async def running(worker: Worker) -> AsyncIterator[None]:
    """A worker that runs until the end."""
    stop = asyncio.Event()
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        group.create_task(worker.run(["slack"], stop, 5))
        yield
        stop.set()


async def flood(stage: Stage, channel: str, threads: int) -> None:
    """Somebody opens so many threads there."""
    for number in range(threads):
        await stage.say(f"Flood in {channel}", room=f"slack/T1/{channel}/{number}")


async def test_what_is_asked_after_a_flood_is_answered_after_a_few_turns(stage: Stage) -> None:
    await flood(stage, "C1", 200)
    await stage.say("Hello", room="slack/T1/C2/1")
    async with running(stage.worker(slots=SLOTS)):
        await stage.platform.shows(2 * SLOTS)
    assert "slack/T1/C2/1" in [post.room for post in stage.platform.posts[: 2 * SLOTS]]


async def test_what_is_asked_in_the_middle_of_floods_is_answered_after_a_few_turns(
    stage: Stage,
) -> None:
    for channel in ("C1", "C2", "C3"):
        await flood(stage, channel, 25)
    worker = stage.worker(slots=SLOTS)
    async with running(worker):
        await stage.platform.shows(SLOTS)
        await stage.say("Hello", room="slack/T1/C4/1")
        soon = len(stage.platform.posts) + 3 * SLOTS  # one more where all end at once
        worker.wake()
        await stage.platform.shows(soon)
    assert "slack/T1/C4/1" in [post.room for post in stage.platform.posts[:soon]]


async def test_two_floods_are_answered_by_turns_whichever_came_first(stage: Stage) -> None:
    """As their turns end: these do not all end at once, for some call a tool, some twice."""
    stage.tools = [tool("noon", lambda _: "It is noon.")]
    noon = calling("noon")
    for _ in range(30):
        stage.model.script("Short.", noon, "Long.", "Short.", noon, noon, "Longer.")
    await flood(stage, "C1", 40)
    await flood(stage, "C2", 40)
    async with running(stage.worker(slots=SLOTS)):
        await stage.platform.shows(80)
    first_half = Counter(post.room.split("/")[2] for post in stage.platform.posts[:40])
    assert min(first_half["C1"], first_half["C2"]) > 10


async def test_a_model_that_hangs_in_one_channel_keeps_no_other_waiting(stage: Stage) -> None:
    stage.model.script(*[(Then.PAUSE, "Late.")] * 6)
    await flood(stage, "C1", 20)
    worker = stage.worker(slots=SLOTS)
    async with running(worker):
        for _ in range(6):
            await stage.model.paused.acquire()
        for number in range(10):
            await stage.say("Hello", room=f"slack/T1/C2/{number}")
        worker.wake()
        await stage.platform.shows(10)
        assert {post.room.split("/")[2] for post in stage.platform.posts} == {"C2"}
        stage.model.resume()
        await stage.platform.shows(30)


async def test_never_more_turns_run_at_once_than_there_are_slots(stage: Stage) -> None:
    stage.model.script(*[(Then.PAUSE, "Late.")] * 36)
    for channel in range(12):
        await flood(stage, f"C{channel}", 3)
    async with running(stage.worker(slots=SLOTS)):
        for _ in range(SLOTS):
            await stage.model.paused.acquire()
        await asyncio.sleep(0.2)  # time enough to begin a ninth
        stage.model.resume()
        await stage.platform.shows(36)
    assert stage.model.most_running == SLOTS


async def test_what_little_waits_is_found_by_one_look(stage: Stage) -> None:
    looks = list[datetime]()

    async def looking() -> None:
        looks.append(stage.clock())

    stage.model.script(*[(Then.PAUSE, "Done.")] * 3)
    for channel in range(3):
        await flood(stage, f"C{channel}", 1)
    async with running(stage.worker(take_over=looking)):
        for _ in range(3):
            await stage.model.paused.acquire()
        assert len(looks) == 1
        stage.model.resume()


async def test_what_another_process_left_is_shared_out_too(stage: Stage) -> None:
    await flood(stage, "C1", 20)
    await stage.say("Hello", room="slack/T1/C2/1")
    for number in range(20):
        await stage.lease(f"slack/T1/C1/{number}")
    await stage.lease("slack/T1/C2/1")
    stage.clock.forward(stage.lease_seconds + 1)
    async with running(stage.worker(slots=SLOTS, owner="other")):
        await stage.platform.shows(21)
    assert "slack/T1/C2/1" in [post.room for post in stage.platform.posts[: 2 * SLOTS]]
