"""One turn: model and tools by turns, each step kept, until there is an answer."""

from __future__ import annotations

import pytest

from core.clock import monotonic
from core.config.spec import AgentSpec
from core.context.history import total
from core.errors import ContextOverflow, ModelDown, ModelRefused
from core.llm import Finished, Role, TextDelta, ToolCall
from core.tools import ToolContext
from core.turn import runner
from core.turn.held_lease import HeldLease
from core.turn.journal import ModelStep
from storage import turns, usage
from storage.claims import OpenTurn
from storage.errors import LeaseLost
from storage.models import Step, StepKind, Usage
from tests.core.given import Stage, tool
from tests.peers.model import Then, calling
from tests.peers.platform import Platform

U, A, T = Role.USER, Role.ASSISTANT, Role.TOOL


@pytest.fixture
def stage(stage: Stage) -> Stage:
    stage.platform = Platform(seconds_between_edits=0)
    return stage


@pytest.fixture
async def hold(stage: Stage) -> HeldLease:
    await stage.say("Hello")
    return await stage.hold()


@pytest.fixture
def calls(stage: Stage) -> list[ToolContext]:
    """Each call of the tools `noon` and `weather` that ran."""
    seen: list[ToolContext] = []

    def noon(context: ToolContext) -> str:
        seen.append(context)
        return "It is noon."

    def weather(context: ToolContext) -> str:
        seen.append(context)
        return "It rains."

    stage.tools = [tool("noon", noon), tool("weather", weather)]
    return seen


async def run(stage: Stage, hold: HeldLease, opened: OpenTurn | None = None) -> str:
    """The answer of this process to what waits."""
    return await runner.run(await stage.turn(hold, opened))


def too_long(budget: int) -> ContextOverflow:
    """The endpoint's refusal of a prompt, and what may fit."""
    return ContextOverflow("too long", told="too long", budget=budget)


@pytest.fixture
async def talkative(stage: Stage) -> Stage:
    """Two long questions have been answered, and a short one waits."""
    stage = Stage(spec=AgentSpec(name="Ada", tools=(), window_tokens=8_000))
    worker = stage.worker()
    for text in ("word " * 1_000, "word " * 1_000):
        await worker.attend((await stage.say(text)).conversation_id)
    await stage.say("Hello")
    return stage


async def taken_over(stage: Stage) -> HeldLease:
    """The conversation in the hands of the next process."""
    stage.clock.forward(60)
    return await stage.hold()


async def test_a_model_that_needs_no_tool_answers_at_once(stage: Stage, hold: HeldLease) -> None:
    stage.model.script("Good morning")
    assert await run(stage, hold) == "Good morning"
    assert stage.platform.transcript == ["Good morning"]


async def test_words_that_came_with_the_end_are_left_to_it(stage: Stage, hold: HeldLease) -> None:
    words = "Good morning"
    stage.model.script((TextDelta(text=words, is_last=True), Finished(text=words, model="m")))
    assert await run(stage, hold) == words
    assert stage.platform.transcript == []


async def test_model_and_tools_take_turns(
    stage: Stage, hold: HeldLease, calls: list[ToolContext]
) -> None:
    stage.model.script(calling("noon"), calling("weather", id="c2"), "Noon, and it rains.")
    assert await run(stage, hold) == "Noon, and it rains."
    assert stage.model.prompts[-1][1:] == [
        (U, "Hello"),
        (A, ""),
        (T, "It is noon."),
        (A, ""),
        (T, "It rains."),
    ]


async def test_several_calls_of_one_answer_run_in_order(
    stage: Stage, hold: HeldLease, calls: list[ToolContext]
) -> None:
    stage.model.script((calling("weather", id="c1"), calling("noon", id="c2")), "Done.")
    await run(stage, hold)
    results = [each for each in stage.model.requests[-1].messages if each.role is T]
    assert [(each.tool_call_id, each.content) for each in results] == [
        ("c1", "It rains."),
        ("c2", "It is noon."),
    ]


async def test_who_may_have_lost_the_lease_calls_no_tool(
    stage: Stage, calls: list[ToolContext]
) -> None:
    """Whoever took over may have finished that very call."""
    await stage.say("Hello")
    hold = HeldLease(await stage.lease(), stage.clock, claimed_at=monotonic() - 15)
    stage.model.script(calling("noon"), "Noon.")
    with pytest.raises(LeaseLost, match="lapsed"):
        await run(stage, hold)
    assert calls == []


async def test_what_is_said_over_several_steps_is_one_answer(
    stage: Stage, hold: HeldLease, calls: list[ToolContext]
) -> None:
    stage.model.script(("Let me look.", calling("noon")), "It is noon.")
    assert await run(stage, hold) == "Let me look.\n\nIt is noon."
    assert stage.platform.transcript == ["Let me look.\n\nIt is noon."]


async def test_a_tool_knows_where_it_is_called_from(
    stage: Stage, hold: HeldLease, calls: list[ToolContext]
) -> None:
    await stage.say("And now?")
    stage.model.script(calling("noon"), "Noon.")
    opened = await stage.opened(hold)
    await run(stage, hold, opened)
    [context] = calls
    assert context.idempotency_key == f"{opened.draft.key}.2"
    assert (context.author, context.source_key) == ("ana", "slack/T1/C1/2")
    assert (context.scope, context.conversation_id) == ("slack/T1/C1", hold.lease.conversation_id)
    assert context.agent_id == (await stage.agent()).id


async def test_a_tool_is_told_what_was_called_before(
    stage: Stage, hold: HeldLease, calls: list[ToolContext]
) -> None:
    stage.model.script(calling("noon"), calling("noon"), "Noon.")
    await runner.run(await stage.turn(hold))
    assert [context.called for context in calls] == [(), ("noon",)]


async def test_every_step_is_on_record_with_what_it_cost(
    stage: Stage, hold: HeldLease, calls: list[ToolContext]
) -> None:
    stage.price = 7
    stage.model.script(calling("noon"), "Noon.")
    turn = await stage.turn(hold)
    await turn.answered(await runner.run(turn))
    steps = await Step.all().order_by("number")
    assert [(step.number, step.kind) for step in steps] == [(1, "model"), (2, "tool"), (3, "model")]
    spent = await Usage.all().order_by("step")
    assert [
        (each.step, each.input_tokens, each.cached_tokens, each.output_tokens) for each in spent
    ] == [(1, 100, 40, 10), (3, 100, 40, 10)]
    agent_id = (await stage.agent()).id
    assert await usage.nano_usd_since(agent_id=agent_id, since=spent[0].at) == 14


async def test_taken_over_no_finished_step_runs_again(
    stage: Stage, hold: HeldLease, calls: list[ToolContext]
) -> None:
    stage.model.script(("Let me look.", calling("noon")), ModelDown("broke off"))
    with pytest.raises(ModelDown):
        await run(stage, hold)
    stage.model.script("It is noon.")
    assert await run(stage, await taken_over(stage)) == "Let me look.\n\nIt is noon."
    assert (len(calls), len(stage.model.requests)) == (1, 3)
    assert stage.model.prompts[-1] == stage.model.prompts[-2]


async def test_a_call_that_was_cut_in_the_middle_is_made_again_with_the_same_key(
    stage: Stage, hold: HeldLease
) -> None:
    keys: list[str] = []

    def once_broken(context: ToolContext) -> str:
        keys.append(context.idempotency_key)
        if len(keys) == 2:
            raise LeaseLost("cut")
        return "done"

    stage.tools = [tool("pay", once_broken)]
    stage.model.script((calling("pay", id="c1"), calling("pay", id="c2")), "Paid twice.")
    with pytest.raises(LeaseLost):
        await run(stage, hold)
    await run(stage, await taken_over(stage))
    first, cut, again = keys
    assert first != cut == again
    assert len(stage.model.requests) == 2


async def test_the_last_step_is_kept_with_the_end_and_its_text_with_the_history(
    stage: Stage, hold: HeldLease
) -> None:
    turn = await stage.turn(hold)
    text = await runner.run(turn)
    assert await Step.all().count() == 0
    await turn.answered(text)
    assert (await stage.history())[-1] == ("Ada", "You said: Hello")
    assert "Hello" not in str((await Step.get()).content)


async def test_an_answer_that_a_version_before_journalled_is_not_made_again(
    stage: Stage, hold: HeldLease
) -> None:
    step = ModelStep(text="Hello to you", model="m", finish_reason="stop")
    await (await stage.turn(hold)).record(StepKind.MODEL, step)
    assert await run(stage, await taken_over(stage)) == "Hello to you"
    assert stage.model.requests == []


async def test_a_turn_has_twelve_model_calls_and_the_last_is_offered_no_tools(
    stage: Stage, hold: HeldLease, calls: list[ToolContext]
) -> None:
    stage.model.script(*[calling("noon")] * 11, "Enough.")
    assert await run(stage, hold) == "Enough."
    offered = [[spec.name for spec in request.tools] for request in stage.model.requests]
    assert offered == [["noon", "weather"]] * 11 + [[]]


async def test_a_model_that_calls_tools_it_was_not_offered_is_not_asked_for_ever(
    stage: Stage, hold: HeldLease, calls: list[ToolContext]
) -> None:
    stage.model.script(*[calling("noon")] * 11, ("Enough.", calling("noon")))
    assert await run(stage, hold) == "Enough."
    assert (len(stage.model.requests), len(calls)) == (12, 11)


async def test_a_model_that_only_ever_calls_tools_gives_no_answer(
    stage: Stage, hold: HeldLease, calls: list[ToolContext]
) -> None:
    stage.model.script(*[calling("noon")] * 20)
    with pytest.raises(ModelDown, match="empty answer"):
        await run(stage, hold)
    assert len(stage.model.requests) == 12


async def test_the_twelve_are_counted_over_all_who_work_on_the_turn(
    stage: Stage, hold: HeldLease, calls: list[ToolContext]
) -> None:
    stage.model.script(*[calling("noon")] * 6, ModelDown("broke off"))
    with pytest.raises(ModelDown):
        await run(stage, hold)
    stage.model.script(*[calling("noon")] * 5, "Enough.")
    assert await run(stage, await taken_over(stage)) == "Enough."
    assert stage.model.requests[-1].tools == ()


async def test_a_prompt_that_is_too_long_is_cut_until_it_fits(talkative: Stage) -> None:
    stage = talkative
    stage.model.script(too_long(3_000), too_long(2_000), "Good morning")
    assert await run(stage, await stage.hold()) == "Good morning"
    lengths = [len(str(prompt)) for prompt in stage.model.prompts[-3:]]
    assert lengths == sorted(lengths, reverse=True)
    assert [asked.budget for asked in stage.model.requests[-3:]][:2] == [8_000, 3_000]
    assert await stage.cuts() == []


async def test_the_steps_of_a_turn_are_counted(stage: Stage, hold: HeldLease) -> None:
    stage.tools = [tool("look", lambda _: "word " * 4_000)]
    stage.model.script(*[calling("look", id=f"c{number}") for number in range(6)], "Enough.")
    assert await run(stage, hold) == "Enough."
    lengths = [total(request.messages) for request in stage.model.requests]
    assert lengths[2] > 11_000
    assert max(lengths) <= 16_000


async def test_steps_that_no_prompt_can_hold_are_not_the_fault_of_who_asked(
    stage: Stage, hold: HeldLease
) -> None:
    stage.tools = [tool("look", lambda _: "word " * 4_000)]
    stage.model.script(calling("look"), *[too_long(0)] * 9)
    with pytest.raises(ModelRefused) as caught:
        await run(stage, hold)
    assert caught.value.told.startswith("What I found for this is more than")


async def test_a_model_that_is_known_to_take_less_is_sent_less(talkative: Stage) -> None:
    stage = talkative
    stage.model.learnt_window = 1_000
    stage.model.script("Good morning")
    assert await run(stage, await stage.hold()) == "Good morning"
    request = stage.model.requests[-1]
    assert (request.budget, total(request.messages) <= 1_000) == (1_000, True)
    assert await stage.cuts() == []


async def test_the_last_prompt_that_is_tried_is_instructions_and_question(
    stage: Stage, hold: HeldLease, calls: list[ToolContext]
) -> None:
    stage.model.script(too_long(0), "Good morning")
    assert await run(stage, hold) == "Good morning"
    whole, bare = stage.model.requests
    assert [tool.name for tool in whole.tools] == ["noon", "weather"]
    assert (bare.tools, [message.role for message in bare.messages]) == ((), [Role.SYSTEM, U])


async def test_who_says_hello_is_not_asked_to_write_shorter(stage: Stage, hold: HeldLease) -> None:
    stage.model.script(too_long(0), too_long(0))
    with pytest.raises(ModelRefused) as caught:
        await run(stage, hold)
    assert caught.value.told.startswith("My instructions do not fit into my language model.")


async def test_a_question_that_no_prompt_can_hold_is_to_be_written_shorter(stage: Stage) -> None:
    await stage.say("word " * 500)
    stage.model.script(too_long(300), too_long(100))
    with pytest.raises(ContextOverflow, match="too long"):
        await run(stage, await stage.hold())


@pytest.mark.parametrize("reply", [(), "", " \n"])
async def test_an_empty_answer_is_none(
    stage: Stage, hold: HeldLease, reply: str | tuple[str, ...]
) -> None:
    stage.model.script(reply)
    with pytest.raises(ModelDown, match="scripted gave an empty answer"):
        await run(stage, hold)
    assert await Step.all().count() == 0


async def test_an_empty_last_word_after_words_is_an_answer(
    stage: Stage, hold: HeldLease, calls: list[ToolContext]
) -> None:
    stage.model.script(("Let me see: noon.", calling("noon")), "")
    assert await run(stage, hold) == "Let me see: noon."


async def test_a_stream_without_an_end_is_no_answer(stage: Stage, hold: HeldLease) -> None:
    stage.model.script(("Good mor", Then.BREAK_OFF))
    with pytest.raises(ModelDown, match="ended without an answer"):
        await run(stage, hold)


async def test_an_agent_whose_money_is_spent_asks_no_model(stage: Stage) -> None:
    stage = Stage(spec=AgentSpec(name="Ada", tools=(), daily_usd=0.000_000_001), price=1)
    await stage.say("Hello")
    hold = await stage.hold()
    stage.tools = [tool("noon", lambda _: "noon")]
    stage.model.script(calling("noon"))
    with pytest.raises(ModelRefused, match="has spent"):
        await run(stage, hold)
    assert len(stage.model.requests) == 1


async def test_an_agent_is_asked_with_its_temperature(stage: Stage) -> None:
    stage = Stage(spec=AgentSpec(name="Ada", tools=(), temperature=0.2))
    await stage.say("Hello")
    await run(stage, await stage.hold())
    assert stage.model.requests[0].temperature == 0.2


async def test_who_lost_the_lease_keeps_no_step(
    stage: Stage, hold: HeldLease, calls: list[ToolContext]
) -> None:
    opened = await stage.opened(hold)
    stage.platform = Platform(seconds_between_edits=None)
    stage.model.script(calling("noon"))
    await taken_over(stage)
    with pytest.raises(LeaseLost):
        await run(stage, hold, opened)
    assert await Step.all().count() == 0


async def test_progress_gives_the_turn_its_attempts_back(
    stage: Stage, hold: HeldLease, calls: list[ToolContext]
) -> None:
    opened = await stage.opened(hold)
    await turns.hand_over(hold.lease, stage.clock(), opened=opened, has_failed=True)
    turn = await stage.turn(await stage.hold())
    assert turn.attempt == 2
    stage.model.script(calling("noon"), ModelDown("broke off"))
    with pytest.raises(ModelDown):
        await runner.run(turn)
    assert turn.attempt == (await turns.by_id(opened.turn.id)).attempts == 1


async def test_a_call_is_shown_to_the_model_as_it_was_made(
    stage: Stage, hold: HeldLease, calls: list[ToolContext]
) -> None:
    call = ToolCall(id="x9", name="noon", arguments='{ "a":1}')
    stage.model.script(call, "Noon.")
    await run(stage, hold)
    assert stage.model.requests[1].messages[2].tool_calls == (call,)


@pytest.mark.parametrize(
    ("reason", "text", "begins"),
    [
        ("stop", "All. ", "All. "),
        ("length", "Half. ", "Half.\n\n(Cut off here: this is as much as"),
        ("length", " ", "(My language model used up all"),
        ("content_filter", "Half.", "Half.\n\n(Cut off here: the content filter"),
        ("content_filter", "", "(The content filter of my language model stopped"),
        ("refusal", "No.", "No.\n\n(My language model declined to answer this.)"),
        ("refusal", "", "(My language model declined to answer this. Please put"),
    ],
)
async def test_an_answer_that_is_not_whole_says_so(
    stage: Stage, hold: HeldLease, reason: str, text: str, begins: str
) -> None:
    stage.model.script(Finished(text=text, model="scripted", finish_reason=reason))
    answer = await run(stage, hold)
    assert answer.startswith(begins)
    assert answer.endswith(")") == (reason != "stop")
