"""A worker serves its queues until it is asked to stop, and loses nothing then."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from core import kill_points
from core.errors import Transient
from core.tools import ToolContext
from core.turn.answer import answer_to
from core.turn.worker import Worker
from storage import turns
from storage.database import Database
from storage.errors import DatabaseBusy, LeaseLost, StorageError
from storage.models import Agent, Conversation, Turn, TurnState
from tests.core.given import Stage, locked, of_a_later_version, tool
from tests.patience import PATIENCE
from tests.peers.model import Then, calling
from tests.peers.platform import Platform
from tests.statements import asked

LOOK = "SELECT id, agent_id, address, ready_at FROM conversation"
ROOMS = [f"slack/T1/C{number}" for number in range(8)]


@asynccontextmanager
async def running(
    worker: Worker, queues: Sequence[str] = ("slack",), *, drain: float = 5
) -> AsyncIterator[asyncio.Event]:
    """A worker that runs until the end, or until its `stop` is set."""
    stop = asyncio.Event()
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        group.create_task(worker.run(queues, stop, drain))
        yield stop
        stop.set()


async def test_it_says_whether_it_looks_for_work(stage: Stage) -> None:
    worker = stage.worker()
    with pytest.raises(ConnectionError):
        await worker.check()
    await stage.say("Hello")
    async with running(worker):
        await stage.platform.shows(1)
        await worker.check()
    with pytest.raises(ConnectionError):
        await worker.check()


async def test_a_database_that_goes_away_in_an_attempt_ends_it(stage: Stage) -> None:
    stage.model.script(DatabaseBusy("away"))
    accepted = await stage.say("Hello")
    with pytest.raises(DatabaseBusy):
        await stage.worker().attend(accepted.conversation_id)
    assert stage.platform.transcript == []


@pytest.mark.parametrize("ended", [LeaseLost("taken over"), DatabaseBusy("away")])
async def test_who_lives_on_after_another_took_over_takes_its_try_alone_back(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, ended: StorageError
) -> None:
    """It was suspended, or cut off from the database: it did not die of the question."""
    take_back, refusals = turns.take_back, iter([DatabaseBusy("still away")])

    async def taken_back(turn_id: int) -> None:
        for refusal in refusals:
            raise refusal
        await take_back(turn_id)

    monkeypatch.setattr(turns, "take_back", taken_back)
    stage.model.script(("Half ", Then.PAUSE, ended))
    await stage.say("Hello")
    for life in range(2):
        stage.owner = f"process {life}"
        await stage.opened(await stage.hold())
        stage.clock.forward(60)
    async with running(stage.worker(owner="me")):
        await stage.model.paused.acquire()
        assert (await Turn.get()).lone_tries == 1
        stage.clock.forward(60)
        await stage.hold()
        stage.model.resume()
    turn = await Turn.get()
    assert (turn.state, turn.lone_tries) == (TurnState.RUNNING, 0)


async def test_many_conversations_are_answered_at_once(stage: Stage) -> None:
    stage.model.script(*[("Half ", Then.PAUSE, "done.")] * len(ROOMS))
    for room in ROOMS:
        await stage.say("Hello", room=room)
    async with running(stage.worker()):
        for _ in ROOMS:
            await stage.model.paused.acquire()
        stage.model.resume()
        await stage.platform.shows(len(ROOMS))
    assert stage.model.most_running == len(ROOMS)
    assert {post.room for post in stage.platform.posts} == set(ROOMS)


async def test_no_more_are_answered_at_once_than_there_are_slots(stage: Stage) -> None:
    stage.model.script(*[(Then.PAUSE, "done.")] * len(ROOMS))
    for room in ROOMS:
        await stage.say("Hello", room=room)
    worker = stage.worker(slots=2)
    async with running(worker):
        await stage.model.paused.acquire()
        await stage.model.paused.acquire()
        worker.wake()
        await asyncio.sleep(0.1)  # time enough to begin a third
        stage.model.resume()
        await stage.platform.shows(len(ROOMS))
    assert stage.model.most_running == 2


async def test_who_has_waited_longest_is_answered_first(stage: Stage) -> None:
    for room in ROOMS:
        await stage.say("Hello", room=room)
        stage.clock.forward(1)
    async with running(stage.worker(slots=1)):
        await stage.platform.shows(len(ROOMS))
    assert [post.room for post in stage.platform.posts] == ROOMS


async def test_workers_that_were_in_each_others_way_choose_among_more(
    stage: Stage,
) -> None:
    """Both looked before either had claimed what they found."""
    for number in range(12):
        await stage.say("Hello", room=f"slack/T1/C{number}")
    mine, yours = stage.worker(owner="me", slots=1), stage.worker(owner="you", slots=1)
    async with asked() as statements, running(mine), running(yours):
        while not any(LOOK in each and each.endswith("LIMIT 128") for each in statements):  # noqa: ASYNC110  # nobody tells
            await asyncio.sleep(0.01)
        await stage.platform.shows(12)
    first, second, *_ = [each for each in statements if LOOK in each]
    assert first.endswith("LIMIT 1")
    assert second.endswith("LIMIT 1")


async def test_what_has_ended_is_not_waited_for_at_the_end(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "core.turn.worker")
    stage.model.script("One.", "Two.", (Then.PAUSE, "Three."))
    for room in ROOMS[:3]:
        await stage.say("Hello", room=room)
    async with running(stage.worker(slots=1), drain=PATIENCE) as stop:
        await stage.model.paused.acquire()
        stop.set()
        while not caplog.records:  # noqa: ASYNC110  # nothing else tells that it drains
            await asyncio.sleep(0.01)
        stage.model.resume()
    assert [record.__dict__["turns"] for record in caplog.records] == [1]


async def test_what_comes_in_later_is_answered_when_it_is_woken(stage: Stage) -> None:
    worker = stage.worker()
    async with running(worker):
        await stage.say("Hello")
        worker.wake()
        await stage.platform.shows(1)


@pytest.mark.usefixtures("often")
async def test_what_nobody_woke_it_for_is_found_by_looking(stage: Stage) -> None:
    async with running(stage.worker()):
        await stage.say("First")
        await stage.platform.shows(1)
        await stage.say("Second")
        await stage.platform.shows(2)


async def test_it_serves_its_queues_and_no_others(stage: Stage) -> None:
    terminal = Platform()
    stage.adapters = {"slack": stage.platform, "terminal": terminal}
    await stage.say("Hello")
    await stage.say("Hello", room="terminal/main")
    await stage.say("Hello", room="terminal/other")
    async with running(stage.worker(), ["slack", "terminal/main"]):
        await stage.platform.shows(1)
        await terminal.shows(1)
    assert [post.room for post in terminal.posts] == ["terminal/main"]


async def test_draining_it_lets_running_turns_finish_and_delivers_them(stage: Stage) -> None:
    stage.model.script(("Half ", Then.PAUSE, "done."))
    await stage.say("Hello")
    async with running(stage.worker()) as stop:
        await stage.model.paused.acquire()
        stop.set()
        stage.model.resume()
    assert stage.platform.transcript == ["Half done."]


async def test_draining_it_begins_no_new_turn(stage: Stage) -> None:
    stage.model.script(("Half ", Then.PAUSE, "done."))
    await stage.say("One")
    async with running(stage.worker()) as stop:
        await stage.model.paused.acquire()
        await stage.say("Two")
        stop.set()
        await asyncio.sleep(0.05)
        stage.model.resume()
    assert stage.platform.transcript == ["Half done."]
    assert (await stage.conversation()).owner is None
    assert await stage.worker(owner="other").attend((await stage.conversation()).id)
    assert stage.platform.transcript == ["Half done.", "You said: Two"]


async def test_asked_to_stop_it_hands_over_at_once_what_it_had_not_begun(stage: Stage) -> None:
    await stage.say("Hello")
    stop = asyncio.Event()

    async def stopping() -> None:
        stop.set()

    await stage.worker(take_over=stopping).run(["slack"], stop, 5)
    assert stage.model.requests == []
    assert await stage.worker(owner="other").attend((await stage.conversation()).id)


async def test_asked_to_stop_it_leaves_to_the_next_what_it_had_not_begun_to_deliver(
    stage: Stage,
) -> None:
    stage.platform.fail("post", Transient("later"))
    accepted = await stage.say("Hello")
    await stage.worker().attend(accepted.conversation_id)
    stage.clock.forward(60)
    stop = asyncio.Event()

    async def stopping() -> None:
        stop.set()

    await stage.worker(take_over=stopping).run(["slack"], stop, 5)
    assert stage.platform.calls == ["post"]
    assert await stage.worker(owner="other").attend(accepted.conversation_id)
    assert stage.platform.transcript == ["You said: Hello"]


async def test_a_look_for_work_that_hangs_is_no_longer_waited_for_than_turns(stage: Stage) -> None:
    is_looking = asyncio.Event()

    async def hang() -> None:
        is_looking.set()
        await asyncio.Event().wait()

    async with running(stage.worker(take_over=hang), drain=0.1):
        await is_looking.wait()


async def test_what_does_not_finish_in_time_is_taken_up_by_another_at_once(stage: Stage) -> None:
    stage.platform = Platform(seconds_between_edits=0)
    stage.model.script(("Half ", Then.PAUSE, "done."))
    await stage.say("Hello")
    async with running(stage.worker(), drain=0):
        await stage.model.paused.acquire()
    assert await stage.worker(owner="other").attend((await stage.conversation()).id)
    assert stage.platform.transcript == ["You said: Hello"]
    assert (await Turn.get(number=1)).attempts == 1


async def test_an_agent_that_cannot_be_read_is_told_once_and_takes_no_other_down(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    """Its conversation stays free for a version that can, and is not claimed here."""
    waiting = await of_a_later_version(stage)
    for number in range(1, 4):
        await stage.say("Hello")
        async with running(stage.worker()):
            await stage.platform.shows(number)
        stage.clock.forward(60)
    left = await Conversation.get(id=waiting)
    assert (left.owner, left.token, left.ready_at is None) == (None, 0, False)
    told = [record for record in caplog.records if "cannot be read" in record.message]
    assert [vars(record)["agent"] for record in told] == ["Zed"]


async def test_a_conversation_that_cannot_be_served_takes_no_other_down(stage: Stage) -> None:
    waiting = await of_a_later_version(stage)
    await Agent.filter(name="Zed").delete()
    await stage.say("Hello")
    async with running(stage.worker()):
        await stage.platform.shows(1)
    assert (await Conversation.get(id=waiting)).owner is None


@pytest.mark.usefixtures("often")
async def test_a_busy_database_does_not_end_it(stage: Stage, sqlite: Database) -> None:
    worker = stage.worker()
    async with running(worker):
        await stage.say("Hello")
        with locked(sqlite.file):
            worker.wake()
            await asyncio.sleep(0.05)  # longer than a statement waits for the lock
        await stage.platform.shows(1)


async def test_a_database_that_is_away_for_a_moment_costs_no_answer_and_no_attempt(
    stage: Stage, sqlite: Database
) -> None:
    """The clock stands still: the lease does not lapse."""
    stage.model.script(("Half ", Then.PAUSE, "done."))
    await stage.say("Hello")
    async with running(stage.worker()):
        await stage.model.paused.acquire()
        with locked(sqlite.file):
            stage.model.resume()
            await stage.model.is_idle.wait()
            await asyncio.sleep(0.1)  # longer than a statement waits for the lock
        await stage.platform.shows(1)
    assert stage.platform.transcript == ["Half done."]
    assert (await Turn.get()).attempts == 1


async def test_a_tool_is_not_called_again_because_its_result_could_not_be_stored_at_once(
    stage: Stage, sqlite: Database
) -> None:
    calls: list[str] = []

    def effect(context: ToolContext) -> str:
        calls.append(context.idempotency_key)
        lock_for_a_moment(sqlite)
        return "done"

    stage.tools = [tool("effect", effect)]
    stage.model.script(calling("effect"))
    await stage.say("Hello")
    async with running(stage.worker()):
        await stage.platform.shows(1)
    assert len(calls) == 1


@pytest.mark.usefixtures("often")
async def test_what_a_database_that_was_away_left_is_handed_over_when_it_is_there_again(
    stage: Stage, sqlite: Database
) -> None:
    """The clock stands still: the lease does not lapse."""
    await stage.say("Hello", author="ana")
    await stage.say("Hello, too", author="ben")
    places = ["delivered"]

    def arrive(at: str) -> None:
        if at in places:
            places.remove(at)
            lock_for_a_moment(sqlite)

    kill_points.watch(arrive)
    async with running(stage.worker()):
        await stage.platform.shows(1)
        while (await stage.conversation()).owner:  # noqa: ASYNC110  # the database tells nobody
            await asyncio.sleep(0.01)
        stage.clock.forward(2)
        await stage.platform.shows(2)
    assert [turn.attempts for turn in await Turn.all()] == [1, 1]


async def test_a_database_that_was_away_for_longer_than_a_lease_has_killed_nobody(
    stage: Stage, sqlite: Database
) -> None:
    stage.lease_seconds = 0.2
    stage.model.script(*[("Half ", Then.PAUSE, "done.")] * 3)
    await stage.say("Hello")
    async with running(stage.worker()):
        for _ in range(2):
            await stage.model.paused.acquire()
            with locked(sqlite.file):
                await stage.model.is_idle.wait()
            stage.clock.forward(60)
        await stage.model.paused.acquire()
        stage.model.resume()
        await stage.platform.shows(1)
    assert (await Turn.get()).interruptions == 0
    assert stage.platform.transcript == ["Half done."]


def lock_for_a_moment(sqlite: Database) -> None:
    """Longer than a statement waits for the lock, shorter than a lease."""
    assert sqlite.file
    other = sqlite3.connect(sqlite.file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    asyncio.get_running_loop().call_later(0.15, other.close)


@pytest.mark.usefixtures("often")
async def test_a_machine_that_is_out_of_files_does_not_end_it(stage: Stage) -> None:
    failures = [OSError("too many open files")]

    async def fails_once() -> None:
        if failures:
            raise failures.pop()

    await stage.say("Hello")
    async with running(stage.worker(take_over=fails_once)):
        await stage.platform.shows(1)


@pytest.mark.usefixtures("often")
async def test_what_is_put_off_is_taken_up_when_its_time_has_come(stage: Stage) -> None:
    stage.platform.fail("post", Transient("later", retry_after=0.01))
    accepted = await stage.say("Hello")
    async with running(stage.worker()):
        answer = await answer_to(accepted, stage.worker(owner="other"))
    assert answer.text == "You said: Hello"
