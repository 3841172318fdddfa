"""A person can stop the answer that is being written, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from core import kill_points
from core.clock import monotonic
from core.errors import ModelDown
from core.turn.worker import Worker
from storage import turns
from storage.database import Database
from storage.models import Turn, TurnState
from tests.core.given import Stage, locked, tool
from tests.patience import PATIENCE
from tests.peers.model import Then, calling
from tests.peers.platform import Platform
from tests.statements import asked


@pytest.fixture
def stage(stage: Stage) -> Stage:
    stage.platform = Platform(seconds_between_edits=0)
    return stage


@pytest.fixture
def worker(stage: Stage) -> Worker:
    return stage.worker()


async def interrupted(stage: Stage, worker: Worker, *, asked: str | None = None) -> bool:
    """What interrupting the answer to a question in the middle comes to."""
    accepted = await stage.say("Hello")
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        group.create_task(worker.attend(accepted.conversation_id))
        await stage.model.paused.acquire()
        was_stopped = worker.interrupt(accepted.conversation_id, asked=asked)
        if not was_stopped:
            stage.model.resume()
    return was_stopped


async def test_what_was_shown_stands_and_says_that_it_was_stopped(
    stage: Stage, worker: Worker
) -> None:
    stage.model.script(("Half an", Then.PAUSE, " answer"))
    assert await interrupted(stage, worker)
    assert stage.platform.transcript == ["Half an (stopped)"]
    assert (await stage.history())[-1] == ("Ada", "Half an (stopped)")
    assert (await Turn.get(number=1)).state is TurnState.STOPPED
    assert stage.model.running == 0


async def test_stopped_before_the_first_word_it_says_only_that(
    stage: Stage, worker: Worker
) -> None:
    stage.model.script((Then.PAUSE, "An answer"))
    assert await interrupted(stage, worker)
    assert stage.platform.transcript == ["(stopped)"]


async def test_what_an_earlier_attempt_said_stands_too(stage: Stage, worker: Worker) -> None:
    stage.tools = [tool("noon", lambda _: "noon")]
    stage.model.script(("Let me look.", calling("noon")), ModelDown("broke off"))
    accepted = await stage.say("Hello")
    await worker.attend(accepted.conversation_id)
    stage.clock.forward(5)
    stage.model.script((Then.PAUSE, "It is noon"))
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        group.create_task(worker.attend(accepted.conversation_id))
        await stage.model.paused.acquire()
        worker.interrupt(accepted.conversation_id)
    assert stage.platform.transcript == ["Let me look. (stopped)"]


async def test_a_stop_between_two_attempts_holds(stage: Stage, worker: Worker) -> None:
    stage.tools = [tool("noon", lambda _: "noon")]
    stage.model.script(("Let me look.", calling("noon")), ModelDown("broke off"))
    accepted = await stage.say("Hello")
    await worker.attend(accepted.conversation_id)
    assert await turns.ask_to_stop((await Turn.get(number=1)).id, stage.clock())
    stage.clock.forward(5)
    await worker.attend(accepted.conversation_id)
    assert stage.platform.transcript == ["Let me look. (stopped)"]
    assert len(stage.model.requests) == 2


async def test_the_next_question_is_answered_after_a_stop(stage: Stage, worker: Worker) -> None:
    stage.model.script(("Half an", Then.PAUSE, " answer"))
    await interrupted(stage, worker)
    accepted = await stage.say("Again")
    await worker.attend(accepted.conversation_id)
    assert stage.platform.transcript[-1] == "You said: Again"


async def test_where_no_answer_is_written_there_is_nothing_to_stop(
    stage: Stage, worker: Worker
) -> None:
    accepted = await stage.say("Hello")
    assert not worker.interrupt(accepted.conversation_id)
    await worker.attend(accepted.conversation_id)
    assert not worker.interrupt(accepted.conversation_id)


async def test_a_second_stop_finds_nothing_more_to_stop(stage: Stage, worker: Worker) -> None:
    stage.model.script(("Half an", Then.PAUSE, " answer"))
    accepted = await stage.say("Hello")
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        group.create_task(worker.attend(accepted.conversation_id))
        await stage.model.paused.acquire()
        assert worker.interrupt(accepted.conversation_id)
        await asyncio.sleep(0)
        assert not worker.interrupt(accepted.conversation_id)
        await stage.model.is_idle.wait()
        assert not worker.interrupt(accepted.conversation_id)
    assert stage.platform.transcript == ["Half an (stopped)"]


@pytest.fixture
def finished() -> Iterator[asyncio.Event]:
    """Set when an answer is finished: for a turn without tools, when all that is left is to end."""
    is_finished = asyncio.Event()
    kill_points.watch(
        lambda place: is_finished.set() if place == "answered, not journalled" else None
    )
    yield is_finished
    kill_points.watch(lambda _: None)


async def test_while_a_finished_answer_is_stored_there_is_nothing_to_stop(
    stage: Stage, worker: Worker, finished: asyncio.Event
) -> None:
    accepted = await stage.say("Hello")
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        attending = group.create_task(worker.attend(accepted.conversation_id))
        await finished.wait()
        assert not worker.interrupt(accepted.conversation_id)
        assert not attending.done()
    assert stage.platform.transcript == ["You said: Hello"]


async def test_only_the_answer_to_a_certain_message_can_be_stopped(
    stage: Stage, worker: Worker
) -> None:
    stage.model.script(("Half an", Then.PAUSE, " answer"))
    assert not await interrupted(stage, worker, asked="another message")
    assert stage.platform.transcript == ["Half an answer"]


async def test_the_answer_to_this_message_is_stopped(stage: Stage, worker: Worker) -> None:
    stage.model.script(("Half an", Then.PAUSE, " answer"))
    assert await interrupted(stage, worker, asked="slack/T1/C1/1")


@pytest.mark.usefixtures("often")
async def test_an_answer_is_stopped_that_another_process_was_asked_to_stop(
    stage: Stage, worker: Worker
) -> None:
    stage.model.script(("Half an", Then.PAUSE, " answer"))
    accepted = await stage.say("Hello")
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        group.create_task(worker.attend(accepted.conversation_id))
        await stage.model.paused.acquire()
        turn = await Turn.get(number=1)
        began_at = monotonic()
        assert await turns.ask_to_stop(turn.id, stage.clock())
    assert monotonic() - began_at < 10
    assert stage.platform.transcript == ["Half an (stopped)"]


@pytest.mark.usefixtures("often")
async def test_looking_for_a_stop_survives_a_busy_database(
    stage: Stage, worker: Worker, sqlite: Database
) -> None:
    stage.model.script(("Half an", Then.PAUSE, " answer"))
    accepted = await stage.say("Hello")
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        group.create_task(worker.attend(accepted.conversation_id))
        await stage.model.paused.acquire()
        with locked(sqlite.file):
            async with asked() as statements:
                while not statements:  # noqa: ASYNC110  # it looks by itself
                    await asyncio.sleep(0.01)
        assert await turns.ask_to_stop((await Turn.get(number=1)).id, stage.clock())
    assert stage.platform.transcript == ["Half an (stopped)"]
