"""A question that is edited or deleted while it is being answered, and one more after it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from core.address import Address
from core.errors import ModelDown
from core.llm import Role
from core.messaging.adapter import Asked, KeptFile
from core.messaging.intake import Accepted
from core.messaging.messages import Attachment
from core.tools import ToolContext
from core.turn import turn as turns_room
from core.turn.worker import Worker
from storage import inbox, turns
from storage.models import InboxMessage, InboxState, Turn, TurnState, Usage
from tests.core.given import Stage, tool
from tests.patience import PATIENCE
from tests.peers.model import Then, calling
from tests.peers.platform import Platform
from tests.statements import asked, traced

NOON = calling("noon")
WHILE = 12.5  # seconds
LOOK = "SELECT CASE WHEN stop_asked_at"  # for what other processes were told


@pytest.fixture
def stage(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Stage:
    monkeypatch.setattr(turns_room, "_SETTLE_SECONDS", 0)
    stage.platform = Platform(seconds_between_edits=0)
    stage.tools = [tool("noon", lambda _: "12:00")]
    return stage


@pytest.fixture
def worker(stage: Stage) -> Worker:
    worker = stage.worker()
    stage.intake.wake_with(worker.wake, worker.edited)
    return worker


@asynccontextmanager
async def being_answered(stage: Stage, worker: Worker) -> AsyncGenerator[Accepted]:
    """A question, whose answer is held in the middle; in the end it is finished."""
    accepted = await stage.say("Helo")
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        group.create_task(worker.attend(accepted.conversation_id))
        await stage.model.paused.acquire()
        yield accepted
        stage.model.resume()


async def test_the_answer_to_an_edited_question_begins_again_in_the_same_message(
    stage: Stage, worker: Worker
) -> None:
    stage.model.script(("Half an", Then.PAUSE, " answer"))
    async with being_answered(stage, worker) as accepted:
        await stage.intake.change(accepted.key, "Hello")
    assert stage.platform.transcript == ["You said: Hello"]
    assert await stage.history() == [("ana", "Hello"), ("Ada", "You said: Hello")]
    assert (await Turn.get()).state is TurnState.DONE
    assert await Usage.all().count() == 2  # what was cut was paid for, too


async def test_an_edit_that_changes_nothing_begins_nothing_again(
    stage: Stage, worker: Worker
) -> None:
    stage.model.script(("A whole", Then.PAUSE, " answer"))
    async with being_answered(stage, worker) as accepted:
        await stage.intake.change(accepted.key, "Helo")
    assert stage.platform.transcript == ["A whole answer"]
    assert len(stage.model.requests) == 1


async def test_what_tools_have_found_stays(stage: Stage, worker: Worker) -> None:
    stage.model.script(NOON, ("Half", Then.PAUSE), "Noon.")
    async with being_answered(stage, worker) as accepted:
        await stage.intake.change(accepted.key, "When?")
    prompt = stage.model.prompts[-1]
    assert [text for role, text in prompt if role in {Role.USER, Role.TOOL}] == ["When?", "12:00"]
    assert stage.platform.transcript == ["Noon."]


@pytest.mark.usefixtures("often")
async def test_an_edit_that_another_process_hears_is_noticed(stage: Stage, worker: Worker) -> None:
    stage.model.script(("Half", Then.PAUSE))
    async with being_answered(stage, worker) as accepted:
        await inbox.change(accepted.key, "Hello")
        while len(stage.model.requests) < 2:  # noqa: ASYNC110  # it looks by itself
            await asyncio.sleep(0.01)
    assert stage.platform.transcript == ["You said: Hello"]


async def test_an_edit_is_noticed_at_the_end_at_the_latest(stage: Stage, worker: Worker) -> None:
    stage.model.script(("An answer to", Then.PAUSE, " Helo"))
    async with being_answered(stage, worker) as accepted:
        await inbox.change(accepted.key, "Hello")
    assert stage.platform.transcript == ["You said: Hello"]
    assert await stage.history() == [("ana", "Hello"), ("Ada", "You said: Hello")]
    assert await Usage.all().count() == 2


async def edit_too_often(stage: Stage, key: str, word: str) -> None:
    """Each time that the answer is begun anew, until it is written for the last time."""
    for number in range(1, 6):
        await stage.model.paused.acquire()
        await stage.intake.change(key, f"{word} {number}")
    await stage.model.paused.acquire()


async def test_who_edits_on_and_on_is_answered_all_the_same(stage: Stage, worker: Worker) -> None:
    accepted = await stage.say("Hello 0")
    stage.model.script(*[(Then.PAUSE, "never")] * 9)
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        group.create_task(worker.attend(accepted.conversation_id))
        await edit_too_often(stage, accepted.key, "Hello")
        await stage.intake.change(accepted.key, "Hello 6")
        stage.model.resume()
    assert stage.platform.transcript == ["never"]
    assert (await stage.history())[0] == ("ana", "Hello 6")  # as people see it


async def test_a_deleted_question_is_not_answered(stage: Stage, worker: Worker) -> None:
    stage.model.script((Then.PAUSE, "An answer"))
    async with being_answered(stage, worker) as accepted:
        await stage.intake.withdraw(accepted.key)
    assert stage.platform.transcript == []
    assert await stage.history() == []
    assert (await Turn.get()).state is TurnState.STOPPED
    assert (await stage.conversation()).ready_at is None


@pytest.mark.usefixtures("often")
async def test_what_another_process_hears_to_be_deleted_is_not_kept(
    stage: Stage, worker: Worker
) -> None:
    stage.model.script((Then.PAUSE, "An answer"))
    async with asyncio.timeout(PATIENCE):
        accepted = await stage.say("Helo")
        async with asyncio.TaskGroup() as group:
            group.create_task(worker.attend(accepted.conversation_id))
            await stage.model.paused.acquire()
            await inbox.withdraw(accepted.key, stage.clock())
    assert stage.platform.transcript == []
    assert await stage.history() == []


async def test_what_comes_after_a_deleted_question_is_answered_by_itself(
    stage: Stage, worker: Worker
) -> None:
    first = await stage.say("One", reply_to="q")
    stage.model.script((Then.PAUSE, "never"))
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        group.create_task(worker.attend(first.conversation_id))
        await stage.model.paused.acquire()
        await stage.say("Two", reply_to="q")
        await stage.intake.withdraw(first.key)
    assert stage.platform.transcript == ["You said: Two"]


async def test_what_was_shown_of_an_answer_stands_when_its_question_is_deleted(
    stage: Stage, worker: Worker
) -> None:
    stage.model.script(("Half an", Then.PAUSE, " answer"))
    async with being_answered(stage, worker) as accepted:
        await stage.intake.withdraw(accepted.key)
    assert stage.platform.transcript == ["Half an (stopped)"]
    assert await stage.history() == [("Ada", "Half an (stopped)")]


async def test_of_several_questions_one_can_be_deleted(stage: Stage, worker: Worker) -> None:
    await stage.say("One", reply_to="q")
    second = await stage.say("Two", reply_to="q")
    stage.model.script((Then.PAUSE, "never"))
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        group.create_task(worker.attend(second.conversation_id))
        await stage.model.paused.acquire()
        await stage.intake.withdraw(second.key)
    assert stage.platform.transcript == ["You said: One"]
    assert await stage.history() == [("ana", "One"), ("Ada", "You said: One")]
    assert [each.state for each in await InboxMessage.all()] == [InboxState.ANSWERED] * 2


async def asked_meanwhile(stage: Stage, worker: Worker, *more: tuple[str, str]) -> list[str]:
    """What the model is asked last, when so much is said while it wants to know the time."""
    await stage.say("When?", reply_to="q/1")
    stage.model.script((Then.PAUSE, NOON))
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        group.create_task(worker.attend((await stage.conversation()).id))
        await stage.model.paused.acquire()
        for author, text in more:
            await stage.say(text, author=author, reply_to="q/1")
        stage.model.resume()
    return [text for role, text in stage.model.prompts[1] if role is Role.USER]


async def test_what_the_same_person_adds_joins_the_answer_before_its_next_call(
    stage: Stage, worker: Worker
) -> None:
    found = await asked_meanwhile(stage, worker, ("ana", "In Rome."), ("ana", "Today."))
    assert found == ["When?\n\nIn Rome.\n\nToday."]
    assert len(stage.platform.transcript) == 1
    assert [text for _, text in await stage.history()][:3] == ["When?", "In Rome.", "Today."]


async def test_what_comes_after_somebody_else_waits_for_its_turn(
    stage: Stage, worker: Worker
) -> None:
    found = await asked_meanwhile(stage, worker, ("bob", "Me too."), ("ana", "In Rome."))
    assert found == ["When?"]
    assert len(stage.platform.transcript) == 3


@pytest.mark.usefixtures("often")
async def test_what_another_process_hears_joins_too(stage: Stage, worker: Worker) -> None:
    stage.intake.wake_with(lambda _: None, lambda _: None)
    accepted = await stage.say("When?", reply_to="q/1")
    stage.model.script((Then.PAUSE, NOON))
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        group.create_task(worker.attend(accepted.conversation_id))
        await stage.model.paused.acquire()
        await stage.say("In Rome.", reply_to="q/1")
        async with asked() as statements:
            while sum(each.startswith(LOOK) for each in statements) < 2:  # noqa: ASYNC110  # each comes by itself
                await asyncio.sleep(0.01)
        stage.model.resume()
    assert stage.model.prompts[1][1] == (Role.USER, "When?\n\nIn Rome.")


async def test_who_edits_again_and_again_is_answered_when_they_have_finished(
    stage: Stage, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each edit comes before the while is over that follows the one before it."""
    whiles = asyncio.Semaphore(0)
    over = asyncio.Semaphore(0)

    async def wait(seconds: float) -> None:
        if seconds == WHILE:
            whiles.release()
            await over.acquire()

    monkeypatch.setattr(turns_room, "_SETTLE_SECONDS", WHILE)
    monkeypatch.setattr(turns_room, "sleep", wait)
    stage.model.script((Then.PAUSE, "never"))
    async with being_answered(stage, worker) as accepted:
        await stage.intake.change(accepted.key, "Hello 0")
        for number in range(1, 5):
            await whiles.acquire()
            await stage.intake.change(accepted.key, f"Hello {number}")
            over.release()
        await whiles.acquire()
        over.release()
    assert stage.platform.transcript == ["You said: Hello 4"]
    assert len(stage.model.requests) == 2


@pytest.mark.parametrize(("place", "joins"), [("q/1", True), ("elsewhere", False)])
async def test_only_what_is_added_at_the_same_place_joins(
    stage: Stage, worker: Worker, place: str, *, joins: bool
) -> None:
    accepted = await stage.say("When?", reply_to="q/1")
    stage.model.script((Then.PAUSE, NOON))
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        group.create_task(worker.attend(accepted.conversation_id))
        await stage.model.paused.acquire()
        await stage.say("In Rome.", reply_to=place)
        stage.model.resume()
    assert ("In Rome." in stage.model.prompts[1][1][1]) == joins
    assert len(stage.platform.posts) == (1 if joins else 2)


async def test_edits_that_come_while_the_answer_is_being_cut_begin_it_again_once(
    stage: Stage, worker: Worker
) -> None:
    """Their transactions stand in line before the one that keeps what the cut call has cost."""
    stage.model.script(("Half", Then.PAUSE))
    async with being_answered(stage, worker) as accepted, asyncio.TaskGroup() as group:
        for number in range(3):
            group.create_task(stage.intake.change(accepted.key, f"Hello {number}"))
    assert stage.platform.transcript == ["You said: Hello 2"]
    assert len(stage.model.requests) == 2


async def test_who_stops_an_answer_right_after_an_edit_gets_none(
    stage: Stage, worker: Worker
) -> None:
    stage.model.script(("Half", Then.PAUSE))
    async with being_answered(stage, worker) as accepted:
        await stage.intake.change(accepted.key, "Hello")
        assert worker.interrupt(accepted.conversation_id)
    assert stage.platform.transcript == ["Half (stopped)"]


async def test_a_step_that_is_journalled_while_the_answer_is_cut_is_not_done_again(
    stage: Stage, worker: Worker
) -> None:
    calls: list[str] = []

    def noon(context: ToolContext) -> str:
        calls.append(context.idempotency_key)
        return "12:00"

    stage.tools = [tool("noon", noon)]
    stage.model.script(NOON, "Noon.")
    accepted = await stage.say("Helo")
    loop = asyncio.get_running_loop()

    def edited(statement: str) -> None:
        if statement.startswith("INSERT INTO step") and calls:
            loop.call_soon_threadsafe(worker.edited, accepted.key)

    async with asyncio.timeout(PATIENCE):
        await traced(edited)
        await worker.attend(accepted.conversation_id)
    assert stage.platform.transcript == ["Noon."]
    assert len(calls) == 1
    assert (await Turn.get()).attempts == 1


@pytest.mark.parametrize("others", [0, 1])
async def test_a_question_deleted_after_too_many_edits_is_not_kept(
    stage: Stage, worker: Worker, others: int
) -> None:
    for number in range(others):
        await stage.say(f"Other {number}", reply_to="q")
    accepted = await stage.say("Secret 0", reply_to="q")
    stage.model.script(*[(Then.PAUSE, "never")] * 9)
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        group.create_task(worker.attend(accepted.conversation_id))
        await edit_too_often(stage, accepted.key, "Secret")
        await inbox.withdraw(accepted.key, stage.clock())
        stage.model.resume()
    assert "Secret" not in str(await stage.history())


async def test_a_try_alone_is_given_back_also_after_an_edit(stage: Stage, worker: Worker) -> None:
    accepted = await stage.say("Helo")
    for life in range(2):
        stage.owner = f"process {life}"
        await stage.opened(await stage.hold())
        stage.clock.forward(60)
    stage.model.script((Then.PAUSE, "never"), ModelDown("away", retry_after=5))
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        group.create_task(worker.attend(accepted.conversation_id))
        await stage.model.paused.acquire()
        await stage.intake.change(accepted.key, "Hello")
    assert (await Turn.get()).lone_tries == 0


async def test_who_is_tried_alone_for_the_last_time_may_edit(stage: Stage, worker: Worker) -> None:
    accepted = await stage.say("Helo")
    for life in range(4):
        stage.owner = f"process {life}"
        hold = await stage.hold()
        opened = await stage.opened(hold)
        if opened.is_suspect:
            await turns.try_alone(hold.lease, opened.turn.id, stage.clock())
        stage.clock.forward(60)
    stage.model.script((Then.PAUSE, "never"), (Then.PAUSE, "never"))
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        group.create_task(worker.attend(accepted.conversation_id))
        for text in ("Hello", "Hello!"):
            await stage.model.paused.acquire()
            await stage.intake.change(accepted.key, text)
    assert stage.platform.transcript == ["You said: Hello!"]


class Showing(Platform):
    """Has files, which it counts, and shows what is asked to nobody."""

    def __init__(self) -> None:
        super().__init__(seconds_between_edits=0)
        self.fetched: list[str] = []

    async def look_up(self, _: Address, attachment: Attachment) -> KeptFile:
        """As FetchesFiles says."""
        self.fetched.append(attachment.name)

        async def read(_: int) -> bytes:
            return b"Monday"

        return KeptFile(attachment=attachment, read=read)

    def quoted(self, asked: Asked) -> str:
        """As QuotesQuestions says."""
        return f"> {asked.text}"


async def test_what_joins_is_quoted_with_the_first_question(stage: Stage, worker: Worker) -> None:
    stage.platform = Showing()
    worker = stage.worker()
    stage.intake.wake_with(worker.wake, worker.edited)
    await asked_meanwhile(stage, worker, ("ana", "In Rome."))
    [answer] = stage.platform.transcript
    assert answer.startswith("> When?\n\n> In Rome.\n\nYou said:")


async def test_an_edited_question_is_quoted_as_it_says_now(stage: Stage) -> None:
    stage.platform = Showing()
    worker = stage.worker()
    stage.intake.wake_with(worker.wake, worker.edited)
    stage.model.script(("Half", Then.PAUSE), "Whole.")
    async with being_answered(stage, worker) as accepted:
        await stage.intake.change(accepted.key, "Hello")
    assert stage.platform.transcript == ["> Hello\n\nWhole."]


async def test_files_are_not_fetched_again_for_what_does_not_join(stage: Stage) -> None:
    stage.platform = platform = Showing()
    worker = stage.worker()
    stage.intake.wake_with(worker.wake, worker.edited)
    accepted = await stage.say("When?", files=[Attachment(name="a.txt", kind="text/plain", size=6)])
    stage.model.script((Then.PAUSE, NOON))
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        group.create_task(worker.attend(accepted.conversation_id))
        await stage.model.paused.acquire()
        await stage.say("Me too", author="bob")
        stage.model.resume()
    assert platform.fetched == ["a.txt"]
