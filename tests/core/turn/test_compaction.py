"""A history that has grown is read once by the model: a summary and facts take its place."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import timedelta

import pytest

from core.address import Readers
from core.errors import ContextOverflow, ModelDown, ModelRefused
from core.llm.demo import DemoModel
from core.llm.pricing import Price
from core.turn.compactor import Compactor
from core.turn.grown_histories import Grown
from core.turn.held_lease import HeldLease
from core.turn.worker import Worker
from storage import conversations, facts, inbox, retention, summaries
from storage.models import Fact, Reservation, SummaryKind, Usage
from storage.retention import Bounds
from storage.side_models import Compaction, CompactionState, Source
from tests.core.given import ROOM, Stage
from tests.core.turn.reading import SUMMARY, Reader, grown, learned, left, noted, staged, talk
from tests.peers.model import Then


@pytest.fixture
def reader() -> Reader:
    return Reader()


@pytest.fixture
async def stage(reader: Reader, database: object) -> Stage:
    return staged(reader)


async def test_what_is_cut_is_read_once_and_a_summary_takes_its_place(
    stage: Stage, reader: Reader
) -> None:
    reader.notes = [noted(("Ana asked question 0 on 1 March 2026.", [1]))]
    await (await grown(stage)).settle()
    [cut] = await stage.cuts()
    assert (cut.kind, cut.text) == (SummaryKind.CUT, SUMMARY)
    [request] = reader.read
    await talk(stage, "And now?")
    front, *rest = stage.model.requests[-1].messages
    assert front.content.endswith(f"Earlier in this conversation:\n{SUMMARY}")
    known = f"(fact {(await Fact.get()).id}, learned from ana, 01 March 2026)"
    assert f"- Ana asked question 0 on 1 March 2026. {known}" in front.content
    assert "Question 0" not in str(rest)
    assert len(rest) < len(request.messages)


async def test_it_is_asked_over_the_prompt_that_is_in_the_cache(
    stage: Stage, reader: Reader
) -> None:
    compactor = await grown(stage)
    before = stage.model.requests[-1]
    await compactor.settle()
    [request] = reader.read
    stable = len(before.messages) - 1
    assert request.messages[:stable] == before.messages[:stable]
    assert (request.tools, request.cache_key) == (before.tools, before.cache_key)
    assert [each.ends_stable for each in request.messages].count(True) == 4


async def test_the_facts_carry_their_sources(stage: Stage, reader: Reader) -> None:
    reader.notes = [noted(("Ana asked twice.", [1, 3]))]
    await (await grown(stage)).settle()
    [fact] = await Fact.all()
    keys = [row.message_key for row in await Source.all().order_by("id")]
    assert keys == [f"{ROOM}/1", f"{ROOM}/2"]
    assert (fact.source_key, fact.said_by, fact.author_id) == (keys[1], "ana", "ana")
    assert (fact.origin, fact.place, fact.scope) == ("learned", ROOM, ROOM)


@pytest.mark.parametrize("sources", [[], [2], [999], [0], [-1], ["1"], None])
async def test_what_nobody_said_is_not_learned(
    stage: Stage, reader: Reader, sources: object
) -> None:
    """The second message is the agent's own."""
    notes = {"summary": SUMMARY, "facts": [{"text": "Ana owns a boat.", "sources": sources}]}
    reader.notes = [json.dumps(notes)]
    await (await grown(stage)).settle()
    assert await Fact.all() == []
    assert len(await stage.cuts()) == 1


@pytest.mark.parametrize(
    "written",
    [
        "",
        "I cannot do that.",
        "{",
        "[]",
        '{"summary": "x"}',
        noted(summary=""),
        noted(summary="long " * 900),
    ],
)
async def test_what_cannot_be_used_is_tried_once_more(
    stage: Stage, reader: Reader, written: str
) -> None:
    reader.notes = [written]
    await (await grown(stage)).settle()
    assert [cut.text for cut in await stage.cuts()] == [SUMMARY]
    assert len(reader.read) == 2
    assert await Usage.filter(purpose="compaction").count() == 2


async def test_and_then_left_out(stage: Stage, reader: Reader) -> None:
    reader.notes = ["no", "no"]
    compactor = await grown(stage)
    await compactor.settle()
    assert await stage.cuts() == []
    [row] = await Compaction.all()
    assert (row.state, row.content, row.ready_at) == (CompactionState.LEFT_OUT, None, None)
    for _ in range(3):
        await talk(stage, "And?")
        await compactor.settle()
    assert len(reader.read) == 2, "one stretch is not read again and again"


async def test_facts_are_kept_where_the_summary_is_not(stage: Stage, reader: Reader) -> None:
    bad = noted(("Ana asks.", [1]), summary="")
    reader.notes = [bad, bad]
    await (await grown(stage)).settle()
    assert await stage.cuts() == []
    assert await learned() == ["Ana asks."]


async def test_the_demo_reads_nothing(stage: Stage) -> None:
    stage.answering = DemoModel(pause=0)
    stage.grown.add(1, 1)
    for number in range(12):
        await talk(stage, f"The number of the day is {number}" + " really" * 80)
    await Compactor(stage.resources()).settle()
    assert await Compaction.all() == []


async def test_the_ledger_has_the_cost_but_not_as_that_of_an_answer(
    stage: Stage, reader: Reader
) -> None:
    stage.price = 7
    await (await grown(stage)).settle()
    [paid] = await Usage.filter(purpose="compaction")
    assert (paid.nano_usd, paid.input_tokens, paid.cached_tokens) == (7, 100, 40)
    assert paid.step < 0
    assert await Reservation.all() == []


async def test_summaries_of_summaries_stay_bounded(stage: Stage, reader: Reader) -> None:
    for round_ in range(5):
        reader.notes = [noted(summary=f"{round_} " + "word " * 200)]
        await (await grown(stage)).settle()
    cuts = await stage.cuts()
    assert len(cuts) == 5
    assert {len(cut.text) for cut in cuts} == {len(cuts[0].text)}
    assert len(reader.read) == 5


async def test_a_learned_fact_changes_with_what_people_say(stage: Stage, reader: Reader) -> None:
    """The newer one is in the context; the older one says until when it held."""
    reader.notes = [noted(("The deadline is 15 March 2026.", [1]))]
    await (await grown(stage)).settle()
    first = await Fact.get()
    reader.notes = [noted(("The deadline is 2 April 2026.", [1]), replaces=first.id)]
    await (await grown(stage)).settle()
    old, new = await Fact.all().order_by("id")
    assert (old.superseded_by, old.held_until) == (new.id, new.said_at)
    await talk(stage, "When is it?")
    prompt = str(stage.model.prompts[-1])
    assert f"2 April 2026. (fact {new.id}, learned from ana, 01 March 2026)" in prompt
    assert "15 March" not in prompt
    assert f"{old.id}. The deadline is 15 March 2026." in reader.read[-1].messages[-1].content


async def test_a_learned_fact_speaks_against_a_told_one_but_takes_its_place_never(
    stage: Stage, reader: Reader
) -> None:
    first = await stage.remember("The deadline is 15 March 2026.")
    reader.notes = [noted(("The deadline is 2 April 2026.", [1]), replaces=first.id)]
    await (await grown(stage)).settle()
    told, found = await Fact.all().order_by("id")
    assert (told.superseded_by, found.contradicts) == (None, told.id)
    await talk(stage, "When is it?")
    prompt = str(stage.model.prompts[-1])
    assert f"15 March 2026. (fact {told.id}, from ana" in prompt
    assert f"it speaks against fact {told.id}, which was told earlier)" in prompt


async def test_what_is_known_already_counts_as_used(stage: Stage, reader: Reader) -> None:
    known = await stage.remember("Ana likes tea.")
    reader.notes = [noted(("Ana likes tea.", [1]))]
    await (await grown(stage)).settle()
    [fact] = await Fact.all()
    assert (fact.id, fact.uses) == (known.id, 1)


async def test_a_model_that_is_down_is_asked_later(stage: Stage, reader: Reader) -> None:
    compactor = await grown(stage)
    stage.model.script(ModelDown("away"))
    await compactor.settle()
    [row] = await Compaction.all()
    assert (row.state, row.failures) == (CompactionState.OPEN, 1)
    await left(stage)
    assert await stage.cuts() == []
    stage.clock.forward(301)
    await left(stage)
    assert [cut.text for cut in await stage.cuts()] == [SUMMARY]


async def test_and_not_for_ever(stage: Stage) -> None:
    compactor = await grown(stage)
    stage.model.script(*[ModelRefused("no", told="no")] * 20)
    await compactor.settle()
    for _ in range(10):
        stage.clock.forward(86_400)
        await left(stage)
    [row] = await Compaction.all()
    assert (row.state, row.ready_at) == (CompactionState.LEFT_OUT, None)


async def test_a_prompt_that_is_too_long_is_left_out(stage: Stage) -> None:
    compactor = await grown(stage)
    stage.model.script(ContextOverflow("no", told="no"))
    await compactor.settle()
    [row] = await Compaction.all()
    assert row.state is CompactionState.LEFT_OUT


async def test_its_cost_is_reserved(stage: Stage) -> None:
    stage.spec = replace(stage.spec, daily_usd=1.0)
    stage.price = Price(input=1, output=1)
    stage.__post_init__()
    compactor = await grown(stage)
    stage.price = Price(input=1_000_000, output=1_000_000)
    await compactor.settle()
    [row] = await Compaction.all()
    assert (row.state, row.failures) == (CompactionState.OPEN, 1)
    assert await Usage.filter(purpose="compaction").count() == 0


async def test_it_waits_for_no_answer_and_none_for_it(stage: Stage, reader: Reader) -> None:
    compactor = await grown(stage)
    stage.model.script((Then.PAUSE, noted()))
    async with asyncio.TaskGroup() as group:
        group.create_task(compactor.settle())
        await stage.model.paused.acquire()
        await talk(stage, "Still there?")
        assert (await stage.history())[-2] == ("ana", "Still there?")
        stage.model.resume()
    assert len(await stage.cuts()) == 1


async def test_a_short_conversation_is_read_once_it_is_quiet(stage: Stage, reader: Reader) -> None:
    reader.notes = [noted(("Ana counts.", [1]))]
    await talk(stage, *["one", "two", "three", "four", "five"])
    stage.clock.forward(3_700)
    await Compactor(stage.resources()).look_for_quiet(asyncio.Event())
    assert reader.read == [], "five messages of people are too few"
    await talk(stage, "six")
    stage.clock.forward(3_000)
    await Compactor(stage.resources()).look_for_quiet(asyncio.Event())
    assert reader.read == [], "it is not quiet yet"
    stage.clock.forward(700)
    await Compactor(stage.resources()).look_for_quiet(asyncio.Event())
    assert await learned() == ["Ana counts."]
    assert (await stage.cuts(), len(reader.read)) == ([], 1)
    stage.clock.forward(7_000)
    await Compactor(stage.resources()).look_for_quiet(asyncio.Event())
    assert len(reader.read) == 1, "and once only"


async def test_what_was_learned_when_it_was_quiet_is_not_looked_for_again(
    stage: Stage, reader: Reader
) -> None:
    await talk(stage, *(f"early {number}" for number in range(6)))
    stage.clock.forward(3_700)
    await Compactor(stage.resources()).look_for_quiet(asyncio.Event())
    await (await grown(stage)).settle()
    quiet, cut = (request.messages[-1].content for request in reader.read)
    assert "early 5" in quiet
    assert "early" not in cut
    assert "summary" not in quiet


@pytest.mark.parametrize("gone", [1, 2])
async def test_what_was_learned_from_a_deleted_message_alone_goes_with_it(
    stage: Stage, reader: Reader, gone: int
) -> None:
    reader.notes = [noted(("Ana asks.", [1]), ("Ana asks on.", [1, 3]))]
    await (await grown(stage)).settle()
    for number in range(1, gone + 1):
        await inbox.withdraw(f"{ROOM}/{number}", stage.clock())
    assert await learned() == ["Ana asks on."][: 2 - gone]


async def test_what_is_learned_in_private_is_known_there_alone(
    stage: Stage, reader: Reader
) -> None:
    room, thread = "discord/1/2", "discord/1/2/3"
    stage.adapters = {"discord": stage.platform}
    reader.notes = [noted(("A secret.", [1]))]
    await (await grown(stage, thread)).settle()
    assert (await learned(thread), await learned(room)) == (["A secret."], [])


async def test_a_place_that_turns_private_meanwhile_keeps_it_to_itself(
    stage: Stage, reader: Reader
) -> None:
    room, thread = "discord/1/2", "discord/1/2/3"
    stage.adapters = {"discord": stage.platform}
    reader.notes = [noted(("A secret.", [1]))]
    compactor = await grown(stage, thread)
    where = await stage.conversation(thread)
    await conversations.show_to(Readers.EVERYBODY, conversation_id=where.id)
    stage.model.script((Then.PAUSE, reader.notes[0]))
    async with asyncio.TaskGroup() as group:
        group.create_task(compactor.settle())
        await stage.model.paused.acquire()
        await conversations.show_to(Readers.THREAD, conversation_id=where.id)
        stage.model.resume()
    assert (await learned(thread), await learned(room)) == (["A secret."], [])


async def test_where_no_worker_runs_it_follows_the_answer(stage: Stage, reader: Reader) -> None:
    resources = replace(stage.resources(), grown=Grown())
    worker = Worker(resources, {"slack": stage.platform})
    for number in range(30):
        accepted = await stage.say(f"Question {number}")
        await worker.attend(accepted.conversation_id)
    assert len(await stage.cuts()) == len(reader.read) > 0


async def test_two_processes_read_it_once(stage: Stage, reader: Reader) -> None:
    await grown(stage)
    where = (await stage.conversation()).id
    async with asyncio.TaskGroup() as group:
        for owner in ("one", "another"):
            group.create_task(Compactor(stage.resources(owner=owner)).compact(where, 0))
    assert len(await stage.cuts()) == len(reader.read) == 1


async def test_a_reset_meanwhile_keeps_nothing_of_it(stage: Stage, reader: Reader) -> None:
    compactor = await grown(stage)
    stage.model.script((Then.PAUSE, noted(("Ana asks.", [1]))))
    async with asyncio.TaskGroup() as group:
        group.create_task(compactor.settle())
        await stage.model.paused.acquire()
        where = await stage.conversation()
        await summaries.reset(where.id, facts=[], now=stage.clock())
        stage.model.resume()
    assert [cut.kind for cut in await stage.cuts()] == [SummaryKind.RESET]
    assert await Fact.all() == []


async def test_a_cut_meanwhile_begins_with_its_summary(stage: Stage, reader: Reader) -> None:
    compactor = await grown(stage)
    stage.model.script((Then.PAUSE, noted()))
    async with asyncio.TaskGroup() as group:
        group.create_task(compactor.settle())
        await stage.model.paused.acquire()
        hold = await busy(stage)
        last = (await stage.conversation()).last_seq
        now = stage.clock()
        await summaries.cut(hold.lease, seen=None, upto_seq=last, text="", facts=[], now=now)
        stage.model.resume()
    newest = await stage.newest_cut()
    assert newest
    assert (newest.text, newest.upto_seq) == (SUMMARY, last)


async def busy(stage: Stage) -> HeldLease:
    """Somebody works on the conversation."""
    await stage.say("Still there?")
    return await stage.hold()


async def test_what_expires_takes_along_what_was_learned_from_it(
    stage: Stage, reader: Reader
) -> None:
    await stage.remember("Ben owns it.")
    reader.notes = [noted(("Ana asks.", [1]))]
    await (await grown(stage)).settle()
    assert await learned() == ["Ben owns it.", "Ana asks."]
    later = stage.clock() + timedelta(days=1)
    await retention.prune(Bounds(words=later, rows=later), None)
    await retention.expire(later, 0)
    assert await learned() == ["Ben owns it."]
    assert [cut.text for cut in await stage.cuts()] == [""]
    assert (await Source.all(), await Compaction.all()) == ([], [])


async def test_what_a_newer_one_had_taken_the_place_of_holds_again(
    stage: Stage, reader: Reader
) -> None:
    reader.notes = [noted(("The deadline is 15 March 2026.", [1]))]
    await (await grown(stage)).settle()
    older = await Fact.get()
    reader.notes = [noted(("The deadline is 2 April 2026.", [1]), replaces=older.id)]
    await (await grown(stage)).settle()
    assert await learned() == ["The deadline is 2 April 2026."]
    newer = await Fact.get(text="The deadline is 2 April 2026.")
    await inbox.withdraw(newer.source_key, stage.clock())
    assert await learned() == ["The deadline is 15 March 2026."]
    assert (await Fact.get(id=older.id)).held_until is None


async def test_what_is_learned_elsewhere_is_shown_and_what_is_in_sight_is_not(
    stage: Stage, reader: Reader
) -> None:
    """A channel's threads share their facts."""
    thread = f"{ROOM}/7"
    for room, text in ((ROOM, "Ana counts."), (thread, "Ana asks.")):
        reader.notes = [noted((text, [1]))]
        await talk(stage, *(f"{room} {number}" for number in range(6)), room=room)
        stage.clock.forward(3_700)
        await Compactor(stage.resources()).look_for_quiet(asyncio.Event())
    assert {fact.text: fact.place for fact in await Fact.all()} == {
        "Ana counts.": ROOM,
        "Ana asks.": thread,
    }
    await talk(stage, "And?", room=thread)
    prompt = str(stage.model.prompts[-1])
    assert "Ana counts." in prompt
    assert "Ana asks." not in prompt


async def test_private_words_are_never_compared_with(stage: Stage, reader: Reader) -> None:
    """The known facts that the model is given are those of the same place."""
    await stage.remember("The secret question is 0.", room="slack/T1/C9")
    await stage.remember("The open question is 0.")
    await (await grown(stage)).settle()
    asked = str(reader.read[0].messages)
    assert "open question is 0" in asked
    assert "secret" not in asked


async def test_a_fact_that_is_told_changed_and_contradicted_is_shown_so(
    stage: Stage, reader: Reader
) -> None:
    """The newer one is in the context, the older one marked, before and after a compaction."""
    first = await stage.remember("The deadline is 15 March 2026.")
    await talk(stage, "Hello")
    second = await stage.remember("The deadline is 2 April 2026.")
    agent = await stage.agent()
    await facts.supersede(
        fact_id=first.id, by=second.id, agent_id=agent.id, scope=ROOM, now=stage.clock()
    )
    await talk(stage, "When is it?")
    front, *_, asked = (content for _, content in stage.model.prompts[-1])
    one, two = f"fact {first.id}", f"fact {second.id}"
    assert f"15 March 2026. ({one}, from ana" in front
    assert f"2 April 2026. ({two}, from ana" in asked
    assert f"{one} held until 01 March 2026; {two} took its place" in asked
    reader.notes = [noted(("The deadline is 9 May 2026.", [3]), replaces=second.id)]
    await (await grown(stage)).settle()
    await talk(stage, "And now?")
    front = stage.model.prompts[-1][0][1]
    assert "15 March" not in front
    assert f"2 April 2026. ({two}, from ana" in front
    against = await Fact.get(text="The deadline is 9 May 2026.")
    assert f"(fact {against.id}, learned from ana, 01 March 2026; it speaks against {two}" in front
