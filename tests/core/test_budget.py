"""An agent stops when its money for the day is spent."""

from __future__ import annotations

from datetime import timedelta

import pytest

from core.budget import check_budget
from core.directory import KnownAgent
from core.errors import ModelRefused
from core.spec import AgentSpec
from storage import turns
from storage.models import StepKind
from storage.turns import FinishedStep, Spent
from tests.core.given import Stage


async def having_spent(stage: Stage, nano_usd: int | None) -> KnownAgent:
    """The agent, after one model call of that price."""
    await stage.say("Hello")
    hold = await stage.hold()
    opened = await stage.opened(hold)
    spent = Spent(model="m", input_tokens=1, cached_tokens=0, output_tokens=1, nano_usd=nano_usd)
    step = FinishedStep(
        turn_id=opened.turn.id, number=1, kind=StepKind.MODEL, content={}, spent=spent
    )
    await turns.record(hold.lease, step, stage.clock())
    return await stage.agent()


@pytest.fixture
def stage(stage: Stage) -> Stage:
    stage.spec = AgentSpec(name="Ada", daily_usd=0.5)
    return Stage(spec=stage.spec)


async def test_an_agent_below_its_budget_may_go_on(stage: Stage) -> None:
    agent = await having_spent(stage, 499_000_000)
    await check_budget(agent, stage.clock())


async def test_an_agent_that_has_spent_its_budget_tells_when_to_ask_again(stage: Stage) -> None:
    agent = await having_spent(stage, 500_000_000)
    with pytest.raises(ModelRefused, match=r"has spent \$0.50 of daily_usd = 0.5") as refused:
        await check_budget(agent, stage.clock())
    assert "tomorrow" in refused.value.told


async def test_the_next_day_is_paid_anew(stage: Stage) -> None:
    agent = await having_spent(stage, 500_000_000)
    await check_budget(agent, stage.clock() + timedelta(hours=12))


async def test_what_has_no_known_price_costs_nothing(stage: Stage) -> None:
    agent = await having_spent(stage, None)
    await check_budget(agent, stage.clock())


async def test_an_agent_without_a_budget_is_never_stopped(stage: Stage) -> None:
    stage = Stage()
    agent = await having_spent(stage, 10**15)
    await check_budget(agent, stage.clock())
