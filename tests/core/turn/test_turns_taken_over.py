"""A turn that is cut between a call and its result goes on in the next process, in any dialect."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from core.config.spec import AgentSpec
from core.llm import Api
from core.llm.endpoint import EndpointModel
from core.llm.time_limits import Limits
from core.tools import ToolContext
from core.turn import runner
from storage.errors import LeaseLost
from tests.core.given import Stage, tool
from tests.core.llm.asking import client_of
from tests.peers.dialects import DIALECTS, Dialect
from tests.peers.endpoint import Endpoint

CALLING = [each for each in DIALECTS if each.expects.calls]


@pytest.fixture
async def endpoint(dialect: Dialect) -> AsyncIterator[Endpoint]:
    async with Endpoint() as endpoint:
        endpoint.play(dialect)
        yield endpoint


async def run(stage: Stage, endpoint: Endpoint, dialect: Dialect) -> str:
    """The answer of a process that has learnt nothing yet."""
    async with client_of(endpoint.base_url) as client:
        limits = Limits(whole=120, wait=60)
        stage.answering = EndpointModel(client, "m", api=Api(dialect.api), limits=limits)
        return await runner.run(await stage.turn(await stage.hold()))


@pytest.mark.parametrize("dialect", CALLING, ids=lambda each: each.name)
@pytest.mark.usefixtures("stage")
async def test_the_tool_runs_again_with_its_key_and_the_answer_is_whole(
    endpoint: Endpoint, dialect: Dialect
) -> None:
    spec = AgentSpec(
        name="Ada",
        tools=(),
        temperature=dialect.ask.temperature,
        reasoning_effort=dialect.ask.effort,
    )
    stage = Stage(spec=spec)
    keys: list[str] = []

    def once_cut(context: ToolContext) -> str:
        keys.append(context.idempotency_key)
        if len(keys) == 1:
            raise LeaseLost("cut")
        return "It is noon."

    stage.tools = [tool("clock", once_cut)]
    await stage.say("What time is it?")
    with pytest.raises(LeaseLost):
        await run(stage, endpoint, dialect)
    before = len(endpoint.requests)
    stage.clock.forward(60)

    answer = await run(stage, endpoint, dialect)
    assert answer.endswith(dialect.expects.text)
    assert keys[0] == keys[1]
    assert len(set(keys)) == len(dialect.expects.calls)
    assert len(keys) == len(dialect.expects.calls) + 1
    relearnt = sum(objection.answer is not None for objection in dialect.objections)
    assert len(endpoint.requests) <= before + 1 + relearnt
