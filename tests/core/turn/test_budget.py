"""An agent spends no more than its money for the day, however many ask it at once."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from contextlib import contextmanager

import pytest

from core import kill_points
from core.config.spec import AgentSpec
from core.errors import ModelDown, ModelRefused
from core.llm import Api, ModelRequest, Native, PromptMessage, Role, TokenUsage, ToolCall, ToolSpec
from core.llm.pricing import Price
from core.turn import budget
from core.turn.budget import most_tokens
from core.turn.worker import Worker
from storage import usage
from storage.errors import LeaseLost
from storage.models import Reservation, Turn, TurnState, Usage
from tests.core.given import ROOM, Stage
from tests.patience import PATIENCE
from tests.peers.model import Piece, Then
from tests.statements import asked

PRICE = Price(input=1, output=2)  # dollars per million tokens
USED = PRICE.nano_usd(TokenUsage(input=100, output=10))  # by each answer of the scripted model
A_DAY = 86_400


@pytest.fixture
def stage(stage: Stage) -> Stage:
    return limited(0.01)


def limited(daily_usd: float | None, *, effort: str | None = None) -> Stage:
    """An agent that may spend so much a day."""
    spec = AgentSpec(name="Ada", tools=(), daily_usd=daily_usd, reasoning_effort=effort)
    return Stage(spec=spec, price=PRICE)


async def ask(stage: Stage, room: str = ROOM, worker: Worker | None = None) -> str:
    """How the turn over one more question ends, as far as one attempt brings it."""
    accepted = await stage.say("Hello", room=room)
    await (worker or stage.worker()).attend(accepted.conversation_id)
    turn = await Turn.filter(conversation_id=accepted.conversation_id).order_by("-id").first()
    assert turn
    return turn.failure or turn.state.value


async def having_spent(stage: Stage, nano_usd: int) -> None:
    """The agent has had a call for so much."""
    call = usage.Call(turn_id=99, agent_id=(await stage.agent()).id, step=-1)
    spent = usage.Spent(
        model="m", input_tokens=1, cached_tokens=0, output_tokens=1, nano_usd=nano_usd
    )
    await usage.add_cut(spent, call, stage.clock())


async def test_an_agent_that_has_spent_its_money_tells_when_to_ask_again(stage: Stage) -> None:
    await having_spent(stage, 9_999_999)
    assert await ask(stage) == "refused"
    assert stage.model.requests == []
    assert "tomorrow" in stage.platform.transcript[0]


async def test_the_next_day_is_paid_anew(stage: Stage) -> None:
    await having_spent(stage, 9_999_999)
    stage.clock.forward(A_DAY / 2)
    assert await ask(stage) == "done"


async def test_what_is_reserved_is_settled_for_what_it_cost(stage: Stage) -> None:
    assert await ask(stage) == "done"
    [spent] = await Usage.all()
    assert (spent.nano_usd, spent.step) == (USED, 1)
    assert await Reservation.all().count() == 0


async def test_thirty_rooms_at_once_spend_no_more_than_the_limit(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(budget, "_QUEUE_SECONDS", 0.2)
    stage.model.script(*[("A ", Then.PAUSE, "word")] * 30)
    worker = stage.worker()
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        for number in range(30):
            room = group.create_task(ask(stage, f"slack/T1/C{number}", worker))
            room.add_done_callback(lambda _: stage.model.paused.release())
        for _ in range(30):  # each is in the middle of its answer, or has been put off
            await stage.model.paused.acquire()
        under_way = stage.model.running
        stage.model.resume()
    assert 0 < under_way * _most(stage) <= 10_000_000


def _most(stage: Stage) -> int:
    asked = stage.model.requests[0]
    return PRICE.nano_usd(TokenUsage(input=most_tokens(asked), output=stage.model.most_output or 0))


async def test_whoever_waits_for_others_has_made_no_attempt(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent_id, now = (await stage.agent()).id, stage.clock()
    others = usage.Wanted(
        turn_id=99, agent_id=agent_id, nano_usd=10_000_000, ends_at=now.replace(year=2027)
    )
    await usage.reserve(others, limit=10_000_000, since=now, now=now)
    accepted, worker = await stage.say("Hello"), stage.worker()
    with monkeypatch.context() as patch:
        patch.setattr(budget, "_QUEUE_SECONDS", 0.01)
        for _ in range(5):
            assert await worker.attend(accepted.conversation_id)
            stage.clock.forward(5)
    turn = await Turn.get()
    assert (turn.state, turn.attempts, stage.model.requests) == (TurnState.RUNNING, 1, [])
    await usage.release(99)
    await worker.attend(accepted.conversation_id)
    assert (await Turn.get()).state is TurnState.DONE


async def test_what_a_stopped_answer_cost_is_kept(stage: Stage) -> None:
    await _stopped(stage)
    [spent] = await Usage.all()
    assert spent.step < 0
    assert spent.input_tokens > 0
    assert spent.output_tokens > 4
    assert spent.nano_usd
    assert await Reservation.all().count() == 0


async def test_what_a_stopped_answer_cost_is_kept_without_a_limit_too(stage: Stage) -> None:
    await _stopped(limited(None))
    assert await Usage.all().count() == 1


async def _stopped(stage: Stage, *reply: Piece) -> None:
    stage.model.script(reply or ("Half an answer", Then.PAUSE))
    worker = stage.worker()
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        asked = group.create_task(ask(stage, worker=worker))
        await stage.model.paused.acquire()
        worker.interrupt((await stage.conversation()).id)
    assert asked.result() == TurnState.STOPPED


async def test_what_was_stopped_before_its_first_word_cost_its_prompt(stage: Stage) -> None:
    await _stopped(stage, Then.PAUSE)
    [spent] = await Usage.all()
    assert (spent.input_tokens > 0, spent.output_tokens) == (True, 0)


async def test_what_broke_off_in_the_middle_cost_what_was_shown(stage: Stage) -> None:
    stage.model.script(("Half an answer", ModelDown("broke off")))
    assert await ask(stage) == "running"
    [spent] = await Usage.all()
    assert (spent.step < 0, await Reservation.all().count()) == (True, 0)


async def test_what_was_refused_before_its_first_word_cost_nothing(stage: Stage) -> None:
    stage.model.script(ModelRefused("no key", told="no key"))
    assert await ask(stage) == "refused"
    assert (await Usage.all().count(), await Reservation.all().count()) == (0, 0)


async def test_what_was_said_by_who_lost_the_lease_cost_what_it_cost(stage: Stage) -> None:
    """Somebody else answers; the money is gone all the same."""
    stage.model.script(("Half an answer", LeaseLost("taken over")))
    await ask(stage)
    assert await Usage.all().count() == 1


async def test_what_a_cancel_finds_already_recorded_is_kept_once(stage: Stage) -> None:
    accepted = await stage.say("Hello")
    with cancelled_at("answered, not journalled"), pytest.raises(asyncio.CancelledError):
        await stage.worker().attend(accepted.conversation_id)
    await stage.worker().attend(accepted.conversation_id)
    assert (await Turn.get()).state is TurnState.DONE
    assert await Usage.all().count() == len(stage.model.requests)
    assert await Reservation.all().count() == 0


@contextmanager
def cancelled_at(point: str) -> Generator[None]:
    """Whoever comes to this kill point first is cancelled with what it does next."""
    tasks = [point]

    def arrive(reached: str) -> None:
        task = asyncio.current_task()
        if task and reached in tasks:
            tasks.clear()
            task.cancel()

    kill_points.watch(arrive)
    try:
        yield
    finally:
        kill_points.watch(lambda _: None)


async def test_what_nobody_knows_the_price_of_is_not_asked(stage: Stage) -> None:
    stage.price = None
    assert await ask(stage) == "configuration"
    assert stage.model.requests == []


@pytest.mark.parametrize(
    ("daily_usd", "effort", "most"),
    [
        (100, None, 8_192),
        (100, "high", 32_768),
        (0.05, None, 2_500),
        (0.005, None, 256),
        (None, "high", None),
    ],
)
async def test_an_answer_may_cost_a_tenth_of_the_day(
    stage: Stage, daily_usd: float | None, effort: str | None, most: int | None
) -> None:
    stage = limited(daily_usd, effort=effort)
    await ask(stage)
    assert stage.model.most_output == most


async def test_without_a_limit_the_database_is_asked_nothing(stage: Stage) -> None:
    stage = limited(None)
    await ask(stage)
    async with asked() as statements:
        assert await ask(stage) == "done"
        stage.model.script(ModelRefused("no key", told="no key"))
        assert await ask(stage) == "refused"
    assert len(statements) > 10
    money = [each for each in statements if "reservation" in each or '"usage"' in each]
    assert [each.split()[0] for each in money] == ["INSERT"]
    assert [each for each in statements if "UPDATE" in each and '"agent"' in each] == []


def test_no_prompt_has_more_tokens_than_are_reserved() -> None:
    call = ToolCall(id="c1", name="noon", arguments='{"a": "ä"}')
    native = Native(model="m", api=Api.CHAT, items=({"thought": "ß" * 100},))
    messages = (
        PromptMessage(role=Role.USER, content="ünï" * 100, images=("data:,",)),
        PromptMessage(role=Role.ASSISTANT, content="", tool_calls=(call,), native=native),
    )
    tool = ToolSpec(name="noon", description="x" * 1_000, parameters={"type": "object"})
    bare = most_tokens(ModelRequest(messages=()))
    assert most_tokens(ModelRequest(messages=messages)) >= bare + 500 + 200 + 50_000
    assert most_tokens(ModelRequest(messages=messages[:0], tools=(tool,))) > bare + 1_000


def test_each_call_of_a_tool_counts_for_more_than_its_words() -> None:
    call = ToolCall(id="", name="", arguments="")
    messages = [
        PromptMessage(role=Role.ASSISTANT, content="", tool_calls=(call,) * count)
        for count in range(3)
    ]
    none, one, two = [most_tokens(ModelRequest(messages=(each,))) for each in messages]
    assert none < one < two
