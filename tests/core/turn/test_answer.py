"""Whoever asked waits until the answer was delivered, whoever delivered it."""

from __future__ import annotations

import asyncio

import pytest

from core.errors import DeliveryRefused, ModelRefused, Transient
from core.turn.answer import answer_to, has_failed, settle
from storage import turns
from storage.database import Database
from storage.errors import DatabaseUnusable
from tests.core.given import Stage, broken
from tests.patience import PATIENCE
from tests.peers.model import Then
from tests.statements import asked


async def test_a_question_is_answered_by_whoever_waits_for_it(stage: Stage) -> None:
    accepted = await stage.say("Hello")
    answer = await answer_to(accepted, stage.worker())
    assert (answer.text, answer.is_failure) == ("You said: Hello", False)
    assert stage.platform.transcript == ["You said: Hello"]
    assert (await turns.by_id(answer.turn_id)).revision == stage.spec.fingerprint


async def test_an_answer_that_is_there_already_is_not_made_again(stage: Stage) -> None:
    accepted = await stage.say("Hello")
    first = await answer_to(accepted, stage.worker())
    assert await answer_to(accepted, stage.worker()) == first
    assert len(stage.model.requests) == 1


async def test_an_answer_that_was_waited_for_is_not_kept(stage: Stage) -> None:
    worker = stage.worker()
    await answer_to(await stage.say("Hello"), worker)
    assert worker.awaited == {}


async def test_an_answer_in_parts_is_whole(stage: Stage) -> None:
    stage.model.script("word " * 2_000)
    answer = await answer_to(await stage.say("Hello"), stage.worker())
    assert answer.text == "word " * 2_000
    assert len(stage.platform.posts) > 1


async def test_somebody_else_may_write_the_answer(stage: Stage) -> None:
    stage.model.script(("Half ", Then.PAUSE, "done."))
    accepted = await stage.say("Hello")
    async with asyncio.TaskGroup() as group:
        group.create_task(stage.worker(owner="other").attend(accepted.conversation_id))
        await stage.model.paused.acquire()
        waiting = group.create_task(answer_to(accepted, stage.worker()))
        stage.model.resume()
    assert waiting.result().text == "Half done."
    assert stage.platform.transcript == ["Half done."]


async def test_who_waits_for_an_answer_of_this_process_asks_the_database_nothing(
    stage: Stage,
) -> None:
    stage.model.script(("Half ", Then.PAUSE, "done."))
    worker = stage.worker()
    accepted = await stage.say("Hello")
    async with asyncio.TaskGroup() as group:
        group.create_task(worker.attend(accepted.conversation_id))
        await stage.model.paused.acquire()
        async with asked() as statements:
            waiting = group.create_task(worker.attend(accepted.conversation_id))
            await asyncio.wait({waiting}, timeout=0.01)
        assert not waiting.done()
        assert statements == []
        stage.model.resume()
    assert waiting.result()


async def test_an_answer_that_was_written_here_is_not_read_again(stage: Stage) -> None:
    accepted = await stage.say("Hello")
    async with asked() as statements:
        answer = await answer_to(accepted, stage.worker())
    assert answer == await answer_to(accepted, stage.worker())
    assert [each for each in statements if each.startswith("SELECT inbox.turn_id")] == []


async def test_an_answer_that_nobody_has_seen_yet_is_waited_for(stage: Stage) -> None:
    stage.platform.fail("post", None)
    accepted = await stage.say("Hello")
    async with asyncio.TaskGroup() as group:
        group.create_task(stage.worker(owner="other").attend(accepted.conversation_id))
        await stage.platform.held.acquire()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await answer_to(accepted, stage.worker())
        stage.platform.let_go()
    assert (await answer_to(accepted, stage.worker())).text == "You said: Hello"


async def test_two_who_wait_in_one_conversation_both_get_their_answer(stage: Stage) -> None:
    first = await stage.say("One", author="ana")
    second = await stage.say("Two", author="bob")
    async with asyncio.TaskGroup() as group:
        waiting = [
            group.create_task(answer_to(accepted, stage.worker())) for accepted in (first, second)
        ]
    assert [task.result().text for task in waiting] == ["You said: One", "You said: bob: Two"]


async def test_a_failure_is_told_as_one(stage: Stage) -> None:
    stage.model.script(ModelRefused("no", told="I may not."))
    accepted = await stage.say("Hello")
    answer = await answer_to(accepted, stage.worker())
    assert (answer.text, answer.is_failure) == ("I may not.", True)
    assert await has_failed(accepted.key)


async def test_an_answered_message_has_not_failed_nor_has_an_unknown_one(stage: Stage) -> None:
    accepted = await stage.say("Hello")
    assert not await has_failed(accepted.key)
    await answer_to(accepted, stage.worker())
    assert not await has_failed(accepted.key)
    assert not await has_failed("unknown")


async def test_an_answer_that_the_platform_refuses_is_an_answer_all_the_same(stage: Stage) -> None:
    stage.platform.fail("post", DeliveryRefused("gone"))
    answer = await answer_to(await stage.say("Hello"), stage.worker())
    assert answer.text == "You said: Hello"


async def test_a_later_question_that_is_put_off_keeps_nobody_waiting(stage: Stage) -> None:
    first = await stage.say("One", author="ana")
    second = await stage.say("Two", author="bob")
    stage.platform.fail("post", Transient("down"), nth=2)
    await stage.worker().attend(first.conversation_id)
    async with asyncio.timeout(PATIENCE):
        answer = await answer_to(first, stage.worker())
    assert answer.text == "You said: One"
    assert stage.platform.transcript == ["You said: One"]
    assert second.is_new


async def test_a_conversation_is_brought_to_rest(stage: Stage) -> None:
    accepted = await stage.say("One", author="ana")
    await stage.say("Two", author="bob")
    await settle(accepted.conversation_id, stage.worker())
    assert stage.platform.transcript == ["You said: One", "You said: bob: Two"]


async def test_what_was_put_off_is_delivered_before_there_is_rest(stage: Stage) -> None:
    stage.platform.fail("post", Transient("later"))
    accepted = await stage.say("Hello")
    await stage.worker().attend(accepted.conversation_id)
    stage.clock.forward(60)
    await settle(accepted.conversation_id, stage.worker())
    assert stage.platform.transcript == ["You said: Hello"]


async def test_bringing_to_rest_waits_for_who_works_there(stage: Stage) -> None:
    stage.model.script(("Half ", Then.PAUSE, "done."))
    accepted = await stage.say("Hello")
    async with asyncio.TaskGroup() as group:
        group.create_task(stage.worker(owner="other").attend(accepted.conversation_id))
        await stage.model.paused.acquire()
        settling = group.create_task(settle(accepted.conversation_id, stage.worker()))
        stage.model.resume()
    assert settling.done()
    assert stage.platform.transcript == ["Half done."]


async def test_a_conversation_at_rest_stays_so(stage: Stage) -> None:
    accepted = await stage.say("Hello")
    await settle(accepted.conversation_id, stage.worker())
    await settle(accepted.conversation_id, stage.worker())
    assert len(stage.model.requests) == 1


async def test_a_database_that_fails_is_told_plainly(stage: Stage, sqlite: Database) -> None:
    accepted = await stage.say("Hello")
    with broken(sqlite.file), pytest.raises(DatabaseUnusable):
        await answer_to(accepted, stage.worker())
