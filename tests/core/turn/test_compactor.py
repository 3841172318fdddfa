"""core/turn/compactor.py: few at once, until it is told to stop, whatever fails meanwhile."""

from __future__ import annotations

import asyncio

import pytest

from core.turn.compactor import Compactor
from storage import compactions
from storage.database import Database
from storage.side_models import Compaction, CompactionState
from tests.core.given import ROOM, Stage, broken, locked
from tests.core.turn.reading import Reader, grown, is_compaction, learned, noted, staged, talk
from tests.patience import PATIENCE
from tests.peers.model import Then

ELSEWHERE = "slack/T1/C2"


@pytest.fixture
def reader() -> Reader:
    return Reader()


@pytest.fixture
async def stage(reader: Reader, sqlite: Database) -> Stage:
    return staged(reader)


async def quiet(stage: Stage, *rooms: str) -> Compactor:
    """Who looks for what is quiet, as these have been for an hour."""
    for room in rooms:
        await talk(stage, *(f"{room} {number}" for number in range(6)), room=room)
    stage.clock.forward(3_700)
    return Compactor(stage.resources())


async def test_where_the_database_failed_is_looked_again(
    stage: Stage, reader: Reader, sqlite: Database
) -> None:
    reader.notes = [noted(("Ana counts.", [1]))]
    compactor = await quiet(stage, ROOM)
    with broken(sqlite.file):
        await compactor.look_for_quiet(asyncio.Event())
    await compactor.look_for_quiet(asyncio.Event())
    assert await learned() == ["Ana counts."]


async def test_told_to_stop_it_begins_no_other_and_goes_on_there_later(
    stage: Stage, reader: Reader
) -> None:
    compactor, stop = await quiet(stage, ROOM, ELSEWHERE), asyncio.Event()
    stage.model.script((Then.PAUSE, noted()))
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        group.create_task(compactor.look_for_quiet(stop))
        await stage.model.paused.acquire()
        stop.set()
        stage.model.resume()
    assert [row.state for row in await Compaction.all()] == [CompactionState.DONE]
    await compactor.look_for_quiet(asyncio.Event())
    assert await Compaction.all().count() == 2


async def test_however_many_have_grown_there_are_as_many_tasks(
    stage: Stage, reader: Reader
) -> None:
    """Those that wait are numbers, and each is there once."""
    compactor, stop = await grown(stage), asyncio.Event()
    stage.model.script((Then.PAUSE, noted()))
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        group.create_task(compactor.run(stop))
        await stage.model.paused.acquire()
        before = len(asyncio.all_tasks())
        for _ in range(20):
            for number in range(1_000, 1_020):
                stage.grown.add(number, 1)
            await asyncio.sleep(0)
        assert len(asyncio.all_tasks()) <= before + 3
        stop.set()
        stage.model.resume()
    assert len(await stage.cuts()) == 1


async def test_two_are_read_at_once_and_no_more(stage: Stage, reader: Reader) -> None:
    reader.answer = "word " * 200  # it grows in a few turns
    for room in (rooms := (ROOM, ELSEWHERE, "slack/T1/C3")):
        await grown(stage, room)
        stage.grown.take()
    for where in [await stage.conversation(room) for room in rooms]:
        stage.grown.add(where.id, where.last_seq)
    compactor, stop = Compactor(stage.resources()), asyncio.Event()
    stage.model.script(*[(Then.PAUSE, noted())] * 2)
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        group.create_task(compactor.run(stop))
        for _ in range(2):
            await stage.model.paused.acquire()
        await talk(stage, "One", "Two", "Three", room="slack/T1/C4")  # time to begin another
        begun = sum(map(is_compaction, stage.model.requests))
        stop.set()
        stage.model.resume()
    assert begun == 2


async def test_told_to_stop_it_leaves_what_waits(stage: Stage, reader: Reader) -> None:
    compactor, stop = await grown(stage), asyncio.Event()
    stop.set()
    async with asyncio.timeout(PATIENCE):
        await compactor.run(stop)
    assert reader.read == []


async def test_a_database_that_is_busy_cuts_no_call(
    stage: Stage, reader: Reader, sqlite: Database, caplog: pytest.LogCaptureFixture
) -> None:
    await grown(stage)
    stage.lease_seconds = 0.1
    compactor = Compactor(stage.resources())
    stage.model.script((Then.PAUSE, noted()))
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        group.create_task(compactor.settle())
        await stage.model.paused.acquire()
        with locked(sqlite.file):
            while not caplog.records:  # noqa: ASYNC110  # nobody tells
                await asyncio.sleep(0.01)
        stage.model.resume()
    assert {record.message for record in caplog.records} == {"lease of a compaction not renewed"}
    assert sum(map(is_compaction, stage.model.requests)) == len(await stage.cuts()) == 1


async def test_a_call_that_cancels_itself_is_not_made_again_and_again(stage: Stage) -> None:
    compactor = await grown(stage)
    stage.model.script(asyncio.CancelledError())
    await compactor.settle()
    [row] = await Compaction.all()
    assert (row.state, row.ready_at) == (CompactionState.LEFT_OUT, None)


async def test_one_that_is_cancelled_is_there_for_others_at_once(stage: Stage) -> None:
    compactor = await grown(stage)
    stage.model.script((Then.PAUSE, noted()))
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        settling = group.create_task(compactor.settle())
        await stage.model.paused.acquire()
        settling.cancel()
    [row] = await Compaction.all()
    assert await compactions.waiting(stage.clock(), limit=1) == [row.id]
    assert (row.owner, row.failures) == (None, 0)  # no process died of it
