"""One turn at a time in a conversation, many conversations at once, and every way a turn ends."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Mapping
from datetime import datetime
from typing import Literal

import pytest

from core.clock import monotonic
from core.context.history import total
from core.errors import ConfigMistake, DeliveryRefused, ModelDown, ModelRefused, Transient
from core.tools import Tool, ToolContext
from core.turn.quarantine import Quarantine
from storage import inbox, steps, turns
from storage.models import InboxMessage, InboxState, StepKind, Turn, TurnState
from storage.steps import FinishedStep
from tests.core.given import ROOM, Stage, of_a_later_version
from tests.patience import PATIENCE
from tests.peers.model import Then, calling
from tests.peers.platform import Platform


async def attend(stage: Stage, *, room: str = ROOM, owner: str = "me") -> bool:
    """Somebody serves the conversation there."""
    conversation = await stage.conversation(room)
    return await stage.worker(owner=owner).attend(conversation.id)


async def latest_turn() -> Turn:
    """The newest turn of all."""
    turn = await Turn.all().order_by("-id").first()
    assert turn
    return turn


async def put_off(stage: Stage) -> float:
    """How many seconds from now the conversation can be claimed."""
    ready_at = (await stage.conversation()).ready_at
    assert ready_at
    return round(ready_at / 1_000 - stage.clock().timestamp(), 1)


async def test_what_waits_is_answered_and_the_conversation_is_idle(stage: Stage) -> None:
    await stage.say("Hello")
    assert await attend(stage)
    assert stage.platform.transcript == ["You said: Hello"]
    assert await stage.history() == [("ana", "Hello"), ("Ada", "You said: Hello")]
    assert (await stage.conversation()).ready_at is None


async def test_an_idle_conversation_is_not_attended(stage: Stage) -> None:
    await stage.say("Hello")
    await attend(stage)
    assert not await attend(stage)


async def test_what_one_person_wrote_in_a_row_is_answered_together(stage: Stage) -> None:
    await stage.say("One")
    await stage.say("Two")
    await stage.say("Three", author="bob")
    await attend(stage)
    assert stage.platform.transcript == ["You said: One\n\nTwo", "You said: bob: Three"]
    assert [post.reply_to for post in stage.platform.posts] == ["q/2", "q/3"]


async def test_fifty_messages_are_answered_in_as_few_turns_as_they_fit(stage: Stage) -> None:
    for number in range(50):
        await stage.say(f"{number} " + "word " * 180)
    await attend(stage)
    assert stage.platform.posts[-1].reply_to == "q/50"
    assert len(stage.model.requests) == 2
    asked = "".join(stage.model.questions)
    assert asked.count("word") == 50 * 180


async def test_no_more_is_answered_together_than_the_model_is_known_to_take(stage: Stage) -> None:
    stage.model.learnt_window = 2_000
    for number in range(50):
        await stage.say(f"{number} " + "word " * 180)
    await attend(stage)
    assert stage.platform.posts[-1].reply_to == "q/50"
    asked = "".join(each.rpartition(")\n\n")[2] for each in stage.model.questions)
    assert asked.count("word") == 50 * 180  # without what was found again of earlier ones
    assert all(total(request.messages) <= 2_000 for request in stage.model.requests)


async def test_questions_of_two_threads_get_an_answer_each(stage: Stage) -> None:
    for text, thread in (("One", "7.1"), ("Two", "8.1")):
        await stage.say(text, reply_to=thread)
    await attend(stage)
    assert stage.platform.transcript == ["You said: One", "You said: Two"]
    assert [post.reply_to for post in stage.platform.posts] == ["7.1", "8.1"]


async def test_a_conversation_has_one_turn_at_a_time(stage: Stage) -> None:
    stage.model.script(("Half ", Then.PAUSE, "done."))
    await stage.say("One")
    async with asyncio.TaskGroup() as group:
        group.create_task(attend(stage))
        await stage.model.paused.acquire()
        await stage.say("Two")
        assert not await attend(stage, owner="other")
        stage.model.resume()
    assert stage.platform.transcript == ["Half done.", "You said: Two"]
    assert stage.model.most_running == 1


async def test_the_model_is_asked_again_after_it_was_down(stage: Stage) -> None:
    stage.model.script(ModelDown("down"))
    await stage.say("Hello")
    await attend(stage)
    assert await put_off(stage) == 1
    assert not await attend(stage)
    stage.clock.forward(1)
    await attend(stage)
    assert stage.platform.transcript == ["You said: Hello"]


async def test_the_endpoint_says_how_long_to_wait(stage: Stage) -> None:
    stage.model.script(ModelDown("slowly", retry_after=17))
    await stage.say("Hello")
    await attend(stage)
    assert await put_off(stage) == 17


async def test_a_person_is_not_kept_waiting_for_more_than_two_minutes(stage: Stage) -> None:
    stage.model.script(ModelDown("slowly", retry_after=126))
    await stage.say("Hello")
    await attend(stage)
    assert stage.platform.transcript == [
        "I cannot reach my language model right now. Please ask again in a few minutes."
    ]


async def test_a_model_that_is_away_is_waited_for_two_minutes_in_growing_pauses(
    stage: Stage,
) -> None:
    stage.model.script(*[ModelDown("away")] * 9)
    accepted = await stage.say("Hello")
    pauses = []
    for _ in range(8):
        await attend(stage)
        pauses.append(await put_off(stage))
        stage.clock.forward(pauses[-1])
    await attend(stage)
    assert pauses == [1, 2, 4, 8, 16, 30, 30, 30]
    assert stage.platform.transcript == [
        "I cannot reach my language model right now. Please ask again in a few minutes."
    ]
    stored = await inbox.by_key(accepted.key)
    assert stored
    assert stored.state is InboxState.FAILED
    assert (await latest_turn()).failure == "unreachable"


async def test_a_person_is_told_that_the_model_is_waited_for_in_the_message_of_the_answer(
    stage: Stage,
) -> None:
    stage.platform = Platform(seconds_between_edits=0)
    stage.model.script(*[ModelDown("away")] * 4)
    await stage.say("Hello")
    shown = []
    for _ in range(5):
        await attend(stage)
        shown.append(stage.platform.transcript[:])
        stage.clock.forward(9)
    notice = "(I cannot reach my language model right now; I keep trying for two minutes.)"
    assert shown == [[], [], [], [notice], ["You said: Hello"]]
    assert len(stage.platform.posts) == 1


async def test_a_turn_without_attempts_as_an_earlier_version_left_it_begins_with_its_first(
    stage: Stage,
) -> None:
    await stage.say("Hello")
    hold = await stage.hold()
    opened = await stage.opened(hold)
    await Turn.all().update(attempts=0)
    await turns.hand_over(hold.lease, stage.clock(), opened=opened)
    stage.model.script(ModelDown("away"))
    await attend(stage)
    assert await put_off(stage) == 1.0


async def test_the_next_question_is_answered_after_one_that_failed(stage: Stage) -> None:
    stage.model.script(ModelRefused("wrong key sk-1", told="My key is wrong."))
    await stage.say("One")
    await stage.say("Two", author="bob")
    await attend(stage)
    assert stage.platform.transcript == ["My key is wrong.", "You said: bob: Two"]
    assert (await Turn.get(number=1)).state is TurnState.FAILED


async def test_an_agent_that_is_set_up_wrongly_says_so_without_details(stage: Stage) -> None:
    stage.model.script(ConfigMistake("tool 'secret.module:x' leads nowhere"))
    await stage.say("Hello")
    await attend(stage)
    [told] = stage.platform.transcript
    assert told.startswith("I am not set up correctly")
    assert "secret" not in told


@pytest.mark.parametrize("kind", [KeyError, asyncio.CancelledError, SystemExit])
async def test_an_unexpected_failure_is_tried_again_and_then_told_without_details(
    stage: Stage, kind: type[BaseException]
) -> None:
    stage.model.script(*[kind("secret")] * 3)
    await stage.say("Hello")
    for _ in range(3):
        await attend(stage)
        stage.clock.forward(5)
    [told] = stage.platform.transcript
    assert told.startswith("Something in me broke while answering this, three times.")
    assert "secret" not in told


async def test_a_journal_that_this_version_cannot_read_is_a_failure_like_others(
    stage: Stage,
) -> None:
    await stage.say("Hello")
    hold = await stage.hold()
    opened = await stage.opened(hold)
    step = FinishedStep(turn_id=opened.turn.id, number=1, kind=StepKind.MODEL, content={"new": 1})
    await steps.record(hold.lease, step, stage.clock())
    await turns.hand_over(hold.lease, stage.clock(), opened=opened)
    for _ in range(3):
        await attend(stage)
        stage.clock.forward(5)
    [told] = stage.platform.transcript
    assert told.startswith("Something in me broke while answering this, three times.")


async def test_a_timeout_of_somebody_else_is_a_failure_and_not_a_stop(stage: Stage) -> None:
    stage.model.script(("Half", TimeoutError("socket")))
    await stage.say("Hello")
    await attend(stage)
    stage.clock.forward(5)
    await attend(stage)
    assert stage.platform.transcript == ["You said: Hello"]


async def tried_alone(stage: Stage, times: int) -> None:
    """A question, and as many processes as it has ended while it was answered alone."""
    await stage.say("Hello")
    for life in range(times):
        stage.owner = f"process {life}"
        hold = await stage.hold()
        opened = await stage.opened(hold)
        await turns.try_alone(hold.lease, opened.turn.id, stage.clock())
        stage.clock.forward(60)


@pytest.mark.parametrize("times", [2, 3])
async def test_a_question_is_not_given_up_while_processes_end(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    """Not by a last try, nor after it: a process that was only suspended takes its try back."""
    stage.quarantine = Quarantine(calm_seconds=5)
    later = monotonic() + 6
    monkeypatch.setattr("core.turn.quarantine.monotonic", lambda: later)
    await tried_alone(stage, times)
    await attend(stage)
    assert (await Turn.get()).lone_tries == times
    assert await put_off(stage) == 5
    assert stage.model.requests == []
    assert stage.platform.posts == []
    monkeypatch.setattr("core.turn.quarantine.monotonic", lambda: later + 5)
    stage.clock.forward(5)
    await attend(stage)
    assert len(stage.platform.posts) == 1


async def test_a_question_that_ended_one_process_is_tried_again_while_others_end(
    stage: Stage,
) -> None:
    stage.quarantine = Quarantine(calm_seconds=0)
    await tried_alone(stage, 1)
    await stage.quarantine.disturbed(stage.clock())
    await attend(stage)
    assert stage.platform.transcript == ["You said: Hello"]


async def test_what_begins_while_a_last_try_waits_for_others_puts_it_off(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.quarantine = Quarantine(calm_seconds=5)
    moments = itertools.count(monotonic() + 9, 9)  # it is long ago for this process, each time
    monkeypatch.setattr("core.turn.quarantine.monotonic", lambda: next(moments))
    stage.model.script(("Half ", Then.PAUSE, "done."))
    await tried_alone(stage, 2)
    await attend(stage)  # it takes over
    stage.clock.forward(5)
    await stage.say("Hello", room="slack/T1/C2")
    worker, other = stage.worker(owner="me"), await stage.conversation("slack/T1/C2")
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        group.create_task(worker.attend(other.id))
        await stage.model.paused.acquire()
        waiting = group.create_task(worker.attend((await stage.conversation()).id))
        while stage.quarantine._is_open.is_set():  # noqa: ASYNC110  # nobody tells when it is cleared
            await asyncio.sleep(0)
        await stage.quarantine.disturbed(stage.clock())
        stage.model.resume()
        await waiting
    assert len(stage.model.requests) == 1
    assert (await Turn.get(conversation_id=(await stage.conversation()).id)).lone_tries == 2


@pytest.mark.parametrize("times", [2, 3])
async def test_a_try_that_is_taken_back_while_it_waits_counts_no_more(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    await tried_alone(stage, times)
    turn = await Turn.get()
    calm = stage.quarantine.expect_calm

    async def taken_back(now: datetime) -> None:
        await calm(now)
        if (await Turn.get()).lone_tries == times:
            await turns.take_back(turn.id)

    monkeypatch.setattr(stage.quarantine, "expect_calm", taken_back)
    await attend(stage)
    assert stage.platform.posts == []
    assert await put_off(stage) == 1
    stage.clock.forward(1)
    await attend(stage)
    assert stage.platform.transcript == ["You said: Hello"]


async def test_a_question_that_killed_three_processes_is_given_up(stage: Stage) -> None:
    await tried_alone(stage, 3)
    await attend(stage)
    [told] = stage.platform.transcript
    assert told.startswith("I was interrupted three times while answering this")
    assert stage.model.requests == []


async def test_questions_that_were_interrupted_twice_are_tried_one_at_a_time(stage: Stage) -> None:
    """One of them may be what ends processes, and must not take the others with it again."""
    stage.model.script(("Half ", Then.PAUSE, "done."))
    rooms = ["slack/T1/C1", "slack/T1/C2"]
    for room in rooms:
        await stage.say("Hello", room=room)
    for life in range(2):
        stage.owner = f"process {life}"
        for room in rooms:
            await stage.opened(await stage.hold(room))
        stage.clock.forward(60)
    worker = stage.worker(owner="me")
    first, second = [(await stage.conversation(room)).id for room in rooms]
    async with asyncio.TaskGroup() as group:
        group.create_task(worker.attend(first))
        await stage.model.paused.acquire()
        await worker.attend(second)
        assert len(stage.model.requests) == 1
        assert (await Turn.get(conversation_id=second)).lone_tries == 0
        stage.model.resume()
    stage.clock.forward(5)
    await worker.attend(second)
    assert [post.text for post in stage.platform.posts] == ["Half done.", "You said: Hello"]


async def test_a_delivery_that_is_put_off_is_made_later_and_the_model_not_asked_again(
    stage: Stage,
) -> None:
    stage.platform.fail("post", Transient("slowly", retry_after=9))
    await stage.say("Hello")
    await attend(stage)
    assert await put_off(stage) == 9
    stage.clock.forward(9)
    await attend(stage)
    assert stage.platform.transcript == ["You said: Hello"]
    assert len(stage.model.requests) == 1


async def test_no_answer_overtakes_one_that_is_put_off(stage: Stage) -> None:
    stage.platform.fail("post", Transient("later"))
    await stage.say("One")
    await attend(stage)
    await stage.say("Two")
    assert not await attend(stage)
    stage.clock.forward(60)
    await attend(stage)
    assert stage.platform.transcript == ["You said: One", "You said: Two"]


async def test_a_refused_delivery_does_not_stop_the_conversation(stage: Stage) -> None:
    stage.platform.fail("post", DeliveryRefused("gone"))
    await stage.say("One")
    await stage.say("Two", author="bob")
    await attend(stage)
    assert stage.platform.transcript == ["You said: bob: Two"]


async def test_the_revision_that_answered_is_on_record(stage: Stage) -> None:
    await stage.say("Hello")
    await attend(stage)
    assert (await latest_turn()).revision == stage.spec.fingerprint


async def test_a_failed_turn_gives_no_answer_to_the_model_to_read(stage: Stage) -> None:
    stage.model.script(ModelRefused("no", told="I may not."))
    await stage.say("One")
    await attend(stage)
    await stage.say("Two")
    await attend(stage)
    assert "may not" not in str(stage.model.prompts[-1])


async def test_a_lease_that_is_lost_in_the_middle_writes_and_posts_nothing_more(
    stage: Stage,
) -> None:
    stage.model.script(("Old ", Then.PAUSE, "answer"))
    await stage.say("Hello")
    async with asyncio.TaskGroup() as group:
        loser = group.create_task(attend(stage))
        await stage.model.paused.acquire()
        stage.clock.forward(60)
        await attend(stage, owner="other")
        stage.model.resume()
    assert loser.result()
    assert stage.platform.transcript == ["You said: Hello"]
    assert await stage.history() == [("ana", "Hello"), ("Ada", "You said: Hello")]


async def test_a_lease_that_is_lost_is_noticed_while_the_model_thinks(stage: Stage) -> None:
    stage.lease_seconds = 1.5
    stage.model.script(("Old ", Then.PAUSE, "answer"))
    await stage.say("Hello")
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        group.create_task(attend(stage))
        await stage.model.paused.acquire()
        stage.clock.forward(60)
        await stage.lease()
    assert stage.model.running == 0


async def test_a_conversation_that_takes_long_is_not_taken_away(stage: Stage) -> None:
    stage.lease_seconds = 1.5
    stage.model.script(("Long ", Then.PAUSE, "answer"))
    await stage.say("Hello")
    before = await stage.conversation()
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        group.create_task(attend(stage))
        await stage.model.paused.acquire()
        await renewed_twice(stage)
        stage.model.resume()
    assert stage.platform.transcript == ["Long answer"]
    assert before.id


async def renewed_twice(stage: Stage) -> None:
    """Wait until the lease has been renewed twice."""
    seen = set[int | None]()
    while len(seen) < 3:
        seen.add((await stage.conversation()).ready_at)
        await asyncio.sleep(0.02)


async def test_no_more_are_attended_to_at_once_than_there_are_places(stage: Stage) -> None:
    stage.attending = asyncio.Semaphore(1)
    stage.model.script((Then.PAUSE, "First"), (Then.PAUSE, "Second"))
    await stage.say("One")
    await stage.say("Two", room="slack/T1/C2")
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        group.create_task(attend(stage))
        group.create_task(attend(stage, room="slack/T1/C2"))
        await stage.model.paused.acquire()
        await asyncio.sleep(0.1)  # time enough to begin another
        stage.model.resume()
    assert stage.model.most_running == 1
    assert len(stage.platform.posts) == 2


async def test_a_tool_that_asks_another_agent_needs_no_place_of_its_own(stage: Stage) -> None:
    stage.attending = asyncio.Semaphore(1)
    other = await stage.say("Asked by a tool", room="slack/T1/C2")

    async def ask(_: Mapping[str, object], __: ToolContext) -> str:
        return str(await stage.worker().attend(other.conversation_id))

    stage.tools = [Tool(name="ask", description="", parameters={"type": "object"}, run=ask)]
    stage.model.script(calling("ask"))
    await stage.say("Hello")
    async with asyncio.timeout(PATIENCE):
        await attend(stage)
    assert stage.platform.transcript == ["You said: Asked by a tool", "You said: True"]
    assert not stage.attending.locked()


async def test_each_attendance_takes_a_place(stage: Stage) -> None:
    stage.attending = places = Places(1)
    for text in ("One", "Two"):
        await stage.say(text)
        await attend(stage)
    assert places.taken == 2


class Places(asyncio.Semaphore):
    """Counts how often one was taken."""

    taken = 0

    async def acquire(self) -> Literal[True]:
        self.taken += 1
        return await super().acquire()


async def test_cancelled_it_hands_over_at_once_and_the_attempt_does_not_count(
    stage: Stage,
) -> None:
    stage.model.script(("Half ", Then.PAUSE))
    await stage.say("Hello")
    async with asyncio.TaskGroup() as group:
        attending = group.create_task(attend(stage))
        await stage.model.paused.acquire()
        attending.cancel()
    assert await attend(stage, owner="other")
    assert stage.platform.transcript == ["You said: Hello"]
    assert (await latest_turn()).attempts == 1


async def test_cancelled_after_its_lease_was_lost_it_is_cancelled_all_the_same(
    stage: Stage,
) -> None:
    stage.model.script(("Half ", Then.PAUSE))
    await stage.say("Hello")
    async with asyncio.TaskGroup() as group:
        attending = group.create_task(attend(stage))
        await stage.model.paused.acquire()
        stage.clock.forward(60)
        await attend(stage, owner="other")
        attending.cancel()
    assert attending.cancelled()


async def test_cancelled_in_a_delivery_it_is_settled_by_whoever_goes_on(stage: Stage) -> None:
    stage.platform.fail("post", None, after_effect=True)
    await stage.say("Hello")
    async with asyncio.TaskGroup() as group:
        attending = group.create_task(attend(stage))
        await stage.platform.held.acquire()
        attending.cancel()
    await attend(stage, owner="other")
    assert stage.platform.transcript == ["You said: Hello"]
    assert stage.platform.calls == ["post", "find", "edit"]


async def test_an_agent_that_this_version_cannot_read_is_told_as_what_it_is(stage: Stage) -> None:
    waiting = await of_a_later_version(stage)
    with pytest.raises(ConfigMistake, match="window_tokens"):
        await stage.worker().attend(waiting)


async def test_messages_that_were_taken_are_the_turns_own(stage: Stage) -> None:
    await stage.say("One")
    opened = await stage.opened(await stage.hold())
    await stage.say("Two")
    stage.clock.forward(60)
    await attend(stage)
    rows = await InboxMessage.all().order_by("id")
    assert rows[0].turn_id == opened.turn.id != rows[1].turn_id
