"""What the model is shown: bounded, append-only, and nobody else's."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest

from core import context
from core.config.spec import AgentSpec
from core.context import Prompt
from core.context.load import Asked
from core.errors import ModelRefused
from core.llm import PromptMessage, Role
from core.llm.tokens import estimate
from core.turn.worker import Worker
from storage import facts, summaries, turns
from storage.errors import LeaseLost
from storage.models import MessageRole, Summary, SummaryKind, TurnState
from storage.turns import Ending, Entry
from tests.core.given import ROOM, Stage
from tests.peers.model import ScriptedModel

S, U, A = Role.SYSTEM, Role.USER, Role.ASSISTANT


async def talk(stage: Stage, worker: Worker, *texts: str, author: str = "ana") -> None:
    """Say these and have each answered before the next."""
    for text in texts:
        accepted = await stage.say(text, author=author)
        await worker.attend(accepted.conversation_id)


async def told(stage: Stage, role: MessageRole, text: str) -> None:
    """A turn over what waits that ended like this."""
    hold = await stage.hold()
    opened = await stage.opened(hold)
    entries = [
        Entry(
            role=each_role,
            author=author,
            text=each,
            tokens=estimate(each),
            said_at=stage.clock(),
        )
        for each_role, author, each in (
            (MessageRole.USER, opened.questions[0].author, opened.questions[0].text),
            (role, "Ada", text),
        )
    ]
    ending = Ending(state=TurnState.DONE, entries=entries, parts=[text])
    await turns.end(hold.lease, opened, ending, stage.clock())
    stage.clock.forward(60)


async def built(stage: Stage, *, budget: int = 2_000, room: str = ROOM) -> Prompt:
    """What is made of what waits in the room."""
    hold = await stage.hold(room)
    opened = await stage.opened(hold)
    asked = Asked(questions=opened.questions)
    return await context.build(
        await stage.agent(), hold.lease, asked, cut_at=stage.clock(), budget=budget
    )


async def prompt(stage: Stage, *, budget: int = 2_000, room: str = ROOM) -> list[PromptMessage]:
    """The messages of the prompt for what waits in the room."""
    return list((await built(stage, budget=budget, room=room)).messages)


def shown(messages: list[PromptMessage]) -> list[tuple[Role, str]]:
    """Role and text of each message."""
    return [(message.role, message.content) for message in messages]


async def test_instructions_then_history_then_the_question(stage: Stage) -> None:
    await talk(stage, stage.worker(), "First")
    await stage.say("Second")
    assert shown(await prompt(stage)) == [
        (S, "Be brief."),
        (U, "First"),
        (A, "You said: First"),
        (U, "Second"),
    ]


async def test_messages_know_who_said_them_and_when(stage: Stage) -> None:
    await stage.say("First")
    *_, question = await prompt(stage)
    assert question.author == "ana"
    assert question.said_at


async def test_over_thirty_turns_each_prompt_begins_with_the_one_before(stage: Stage) -> None:
    await talk(stage, stage.worker(), *(f"Question {number}" for number in range(30)))
    prompts = stage.model.prompts
    grown = pairwise(prompts)
    assert all(later[: len(earlier) - 1] == earlier[:-1] for earlier, later in grown)
    assert len(prompts) == 30


async def test_without_facts_each_prompt_begins_with_the_whole_one_before(stage: Stage) -> None:
    await talk(stage, stage.worker(), "One", "Two", "Three")
    first, second, third = stage.model.prompts
    assert second[: len(first)] == first
    assert third[: len(second)] == second


@pytest.fixture
def narrow(stage: Stage) -> Stage:
    """An agent with the smallest window, that answers at length."""
    spec = AgentSpec(name="Ada", instructions="Be brief.", tools=(), window_tokens=1_000)
    narrow = Stage(spec=spec)
    narrow.model.script(*["word " * 30] * 100)
    return narrow


async def test_what_is_marked_as_stable_stands_in_the_next_prompt_just_so(stage: Stage) -> None:
    await talk(stage, stage.worker(), *(f"Question {number}" for number in range(6)))
    sent = [request.messages for request in stage.model.requests]
    for number, earlier in enumerate(sent[:-1]):
        ends = [at for at, each in enumerate(earlier) if each.ends_stable]
        said = [earlier[at].content for at in ends[1:]]
        newest = [f"Question {each}" for each in range(max(number - 3, 0), number)]
        assert (ends[0], said) == (0, newest)
        stable = [(each.role, each.content) for each in earlier[: ends[-1] + 1]]
        assert stage.model.prompts[number + 1][: len(stable)] == stable


async def test_the_view_grows_to_the_budget_and_is_then_cut_to_about_half(narrow: Stage) -> None:
    await talk(narrow, narrow.worker(), *(f"Question {number}" for number in range(20)))
    lengths = [sum(estimate(text) for _, text in each) for each in narrow.model.prompts]
    cuts = [after / before for before, after in pairwise(lengths)]
    assert 900 < max(lengths) <= 1_000
    assert 0.4 < min(cuts) < 0.65


async def test_cuts_are_rare_and_on_record(narrow: Stage) -> None:
    await talk(narrow, narrow.worker(), *(f"Question {number}" for number in range(20)))
    prompts = narrow.model.prompts
    grown = pairwise(prompts)
    broken = [earlier for earlier, later in grown if later[: len(earlier)] != earlier]
    cuts = await narrow.cuts()
    assert {cut.kind for cut in cuts} == {SummaryKind.CUT}
    assert len(cuts) == len(broken) <= 20 // 6


async def test_after_a_cut_the_view_begins_with_a_person(narrow: Stage) -> None:
    narrow.model = ScriptedModel(otherwise=lambda _: "yes")
    await talk(narrow, narrow.worker(), *["word " * 30] * 22)
    assert {each[1][0] for each in narrow.model.prompts} == {U}
    assert len(await narrow.cuts()) == 1


async def test_facts_of_the_last_cut_stand_in_front_and_newer_ones_at_the_tail(
    stage: Stage,
) -> None:
    await talk(stage, stage.worker(), "First")
    old = await stage.remember("the deadline is in March")
    conversation = await stage.conversation()
    await Summary.create(
        conversation_id=conversation.id,
        upto_seq=0,
        kind=SummaryKind.CUT,
        text="They spoke about dates.",
        facts=[old.id],
        made_at=stage.clock(),
    )
    new = await stage.remember("Bob owns it")
    await stage.say("Second")
    front, *history, tail = shown(await prompt(stage))
    assert front == (
        S,
        "Be brief.\n\nWhat you have been told to remember:\n"
        f"- the deadline is in March (fact {old.id}, from ana, 01 March 2026)"
        "\n\nEarlier in this conversation:\nThey spoke about dates.",
    )
    assert history == [(U, "First"), (A, "You said: First")]
    assert tail == (
        U,
        "(What you have been told to remember since:\n"
        f"- Bob owns it (fact {new.id}, from ana, 01 March 2026))\n\nSecond",
    )


async def test_a_cut_moves_the_facts_to_the_front(narrow: Stage) -> None:
    """What is known when a conversation begins stands there from the first."""
    worker = narrow.worker()
    known = await narrow.remember("Ana asks")
    await talk(narrow, worker, "Hello")
    told = await narrow.remember("Bob owns it")
    await talk(narrow, worker, *(f"Question {number}" for number in range(20)))
    first, second, last = (narrow.model.prompts[at] for at in (0, 1, -1))
    assert "Ana asks" in first[0][1]
    assert second[0] == first[0]
    assert "Bob owns it" in second[-1][1]
    assert "Bob owns it" in last[0][1]
    assert "Bob owns it" not in last[-1][1]
    begun, cut, *_ = await narrow.cuts()
    assert (begun.upto_seq, begun.facts) == (0, [known.id])
    assert cut.facts == [told.id, known.id]


async def test_the_tail_is_not_kept_in_the_history(stage: Stage) -> None:
    await stage.say("First")
    await stage.remember("Bob owns it")
    worker = stage.worker()
    await worker.attend((await stage.conversation()).id)
    await talk(stage, worker, "Second")
    assert stage.model.prompts[1][1] == (U, "First")


async def test_a_forgotten_fact_stands_nowhere(stage: Stage) -> None:
    await stage.say("First")
    fact = await stage.remember("Bob owns it")
    await facts.forget(fact_id=fact.id, agent_id=fact.agent_id, scope=fact.scope, now=stage.clock())
    assert "Bob" not in str(shown(await prompt(stage)))


async def test_a_fact_of_another_room_stands_nowhere(stage: Stage) -> None:
    await stage.say("First")
    await stage.remember("Bob owns it", room="slack/T1/C2")
    assert "Bob" not in str(shown(await prompt(stage)))


async def test_a_second_speaker_is_named_in_the_question_and_in_the_history(stage: Stage) -> None:
    worker = stage.worker()
    await talk(stage, worker, "I am first")
    await talk(stage, worker, "I am second", author="bob")
    await talk(stage, worker, "Me again")
    second, third = stage.model.prompts[1:]
    assert second[-1] == (U, "bob: I am second")
    assert third[3] == (U, "bob: I am second")
    assert third[-1] == (U, "Me again")


async def test_messages_answered_together_are_one_message_of_the_prompt(stage: Stage) -> None:
    await stage.say("One")
    await stage.say("Two")
    assert shown(await prompt(stage))[1:] == [(U, "One\n\nTwo")]


async def test_a_question_that_was_given_up_is_shown_as_not_answered(stage: Stage) -> None:
    await stage.say("First")
    await told(stage, MessageRole.NOTICE, "I cannot reach my language model.")
    await stage.say("Second")
    assert shown(await prompt(stage))[1:] == [
        (U, "First"),
        (A, "(This was not answered.)"),
        (U, "Second"),
    ]


async def test_person_and_model_take_turns_whatever_happened(stage: Stage) -> None:
    await stage.say("First")
    await told(stage, MessageRole.NOTICE, "I cannot.")
    await talk(stage, stage.worker(), "Second", "Third")
    roles = [role for role, _ in stage.model.prompts[-1]]
    assert roles == [S, U, A, U, A, U]


async def test_without_memory_only_the_question_is_shown(stage: Stage) -> None:
    stage = Stage(spec=AgentSpec(name="Ada", instructions="Be brief.", memory=False, tools=()))
    await stage.say("First")
    await stage.remember("Bob owns it")
    await told(stage, MessageRole.ASSISTANT, "Yes")
    await stage.say("Second")
    assert shown(await prompt(stage)) == [(S, "Be brief."), (U, "Second")]


@pytest.mark.usefixtures("sqlite")
async def test_a_question_that_is_too_long_is_refused_with_a_sentence() -> None:
    stage = Stage(spec=AgentSpec(name="Ada", window_tokens=2_000))
    await stage.say("word " * 2_000)
    with pytest.raises(ModelRefused, match="window_tokens = 2000") as refused:
        await prompt(stage)
    assert refused.value.told == (
        "Your message is too long for me: about 2,860 tokens, and I can read 1,500. "
        "It is kept; please send it in smaller parts."
    )


async def test_a_window_that_the_question_fills_makes_a_bare_prompt(stage: Stage) -> None:
    await stage.say("Earlier")
    await told(stage, MessageRole.ASSISTANT, "Yes")
    await stage.say("word " * 300)
    found = await built(stage, budget=400)
    assert [message.role for message in found.messages] == [S, U]
    assert found.is_bare
    assert await stage.cuts() == []


async def test_a_prompt_that_is_tried_again_shorter_cuts_nothing_for_good(stage: Stage) -> None:
    for _ in range(4):
        await stage.say("word " * 300)
        await told(stage, MessageRole.ASSISTANT, "Yes")
    await stage.say("Now")
    hold = await stage.hold()
    asked = Asked(questions=(await stage.opened(hold)).questions)
    whole, cut = [
        await context.build(await stage.agent(), hold.lease, asked, cut_at=None, budget=budget)
        for budget in (4_000, 1_500)
    ]
    assert len(whole.messages) == 10
    assert cut.tokens < 1_500
    assert [message.content for message in cut.messages][-1] == "Now"
    assert await stage.cuts() == []


async def test_an_old_message_that_is_very_long_is_shown_whole_where_there_is_room(
    stage: Stage,
) -> None:
    await stage.say("x" * 9_000)
    await told(stage, MessageRole.ASSISTANT, "Yes")
    await stage.say("Second")
    _, old, *_ = await prompt(stage, budget=8_000)
    assert old.content == "x" * 9_000


async def test_long_messages_are_clipped_before_any_is_lost(stage: Stage) -> None:
    await stage.say("x" * 5_000)
    await told(stage, MessageRole.ASSISTANT, "y" * 5_000)
    await stage.say("Second")
    _, old, answer, question = await prompt(stage, budget=1_500)
    assert re.fullmatch(r"x+\n\[… 3,\d\d\d characters left out …\]\nx+", old.content)
    assert answer.content.startswith("y")
    assert question.content == "Second"
    assert await stage.cuts() == []


@pytest.mark.parametrize("size", [30_000, 100_000], ids=["answered", "refused"])
async def test_one_paste_cuts_nothing_for_good(stage: Stage, size: int) -> None:
    worker = stage.worker()
    await talk(stage, worker, *("word " * 15 for _ in range(30)))
    await talk(stage, worker, "x" * size, "And now?")
    before, *_, after = [len(each) for each in stage.model.prompts[29:]]
    assert (before, after) == (60, 64)
    assert await stage.cuts() == []


async def test_who_lost_the_lease_cuts_nothing(stage: Stage) -> None:
    for _ in range(10):
        await stage.say("word " * 300)
        await told(stage, MessageRole.ASSISTANT, "Yes")
    await stage.say("Now")
    zombie = await stage.hold()
    asked = Asked(questions=(await stage.opened(zombie)).questions)
    stage.clock.forward(60)
    await stage.lease()
    with pytest.raises(LeaseLost):
        await context.build(
            await stage.agent(), zombie.lease, asked, cut_at=stage.clock(), budget=1_000
        )
    assert await stage.cuts() == []


async def test_who_takes_over_after_a_cut_shows_the_same_and_cuts_nothing(stage: Stage) -> None:
    for _ in range(10):
        await stage.say("word " * 300)
        await told(stage, MessageRole.ASSISTANT, "Yes")
    await stage.remember("Bob owns it")
    await stage.say("Now")
    first = await built(stage, budget=1_000)
    stage.clock.forward(60)
    assert (await built(stage, budget=1_000)).messages == first.messages
    assert "Bob owns it" in first.messages[0].content
    assert len(await stage.cuts()) == 1


async def test_facts_take_at_most_a_twentieth_of_the_budget(stage: Stage) -> None:
    await stage.say("First")
    for number in range(40):
        await stage.remember(f"{number} {'word ' * 190}")
    found = await built(stage, budget=16_000)
    assert found.tokens < 16_000 / 20 + 100
    assert "- 39 word" in found.messages[0].content
    assert "- 0 word" not in found.messages[0].content


async def test_after_a_reset_nothing_from_before_is_shown(stage: Stage) -> None:
    worker = stage.worker()
    await talk(stage, worker, "First")
    conversation = await stage.conversation()
    await summaries.reset(conversation.id, facts=[], now=stage.clock())
    await talk(stage, worker, "Second", "Third")
    assert stage.model.prompts[-1] == [
        (S, "Be brief."),
        (U, "Second"),
        (A, "You said: Second"),
        (U, "Third"),
    ]


async def test_two_conversations_never_mix(stage: Stage) -> None:
    await stage.say("marker of the first room")
    await stage.say("marker of the second room", room="slack/T1/C2")
    worker = stage.worker()
    await worker.attend((await stage.conversation()).id)
    await worker.attend((await stage.conversation("slack/T1/C2")).id)
    await stage.say("Again", room="slack/T1/C2")
    assert "first" not in str(shown(await prompt(stage, room="slack/T1/C2")))
