"""Several models as one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest

from core.errors import ContextOverflow, ModelDown, ModelRefused
from core.llm import Finished, Retracted
from core.llm.endpoint import EndpointModel
from core.llm.fallback import FallbackModel
from tests.core.llm.asking import answer_of, client_of, first_of, request
from tests.peers.endpoint import Endpoint, Fail, Truncate

ASKED = request("Hello")


@pytest.fixture
async def pair(endpoint: Endpoint) -> AsyncIterator[FallbackModel]:
    async with client_of(endpoint.base_url) as client:
        yield FallbackModel([EndpointModel(client, name) for name in ("first", "second")])


@pytest.mark.parametrize("status", [503, 404])
async def test_the_next_model_answers_when_one_fails(
    endpoint: Endpoint, pair: FallbackModel, status: int
) -> None:
    endpoint.script(Fail(status=status))
    answer = await answer_of(pair, ASKED)
    assert (pair.name, answer.model) == ("first", "second")


async def test_the_next_model_is_left_alone_while_the_first_one_answers(
    endpoint: Endpoint, pair: FallbackModel
) -> None:
    assert (await answer_of(pair, ASKED)).model == "first"
    assert [body["model"] for body in endpoint.requests] == ["first"]


async def test_where_one_breaks_off_the_next_begins_anew(
    endpoint: Endpoint, pair: FallbackModel
) -> None:
    endpoint.script(Truncate(after=1))
    async with aclosing(pair.stream(ASKED)) as events:
        assert await first_of(events) == "This "
        seen = [event async for event in events]
    assert isinstance(seen[0], Retracted)
    assert isinstance(seen[-1], Finished)
    assert (seen[-1].model, len(endpoint.requests)) == ("second", 2)


async def test_where_the_last_one_breaks_off_there_is_no_answer(
    endpoint: Endpoint, pair: FallbackModel
) -> None:
    endpoint.script(Fail(status=404), Truncate(after=1))
    with pytest.raises(ModelDown):
        await answer_of(pair, ASKED)
    assert len(endpoint.requests) == 2


async def test_a_prompt_that_is_too_long_is_no_reason_for_another_model(
    endpoint: Endpoint, pair: FallbackModel
) -> None:
    endpoint.script(Fail(status=413))
    with pytest.raises(ContextOverflow):
        await answer_of(pair, ASKED)
    assert len(endpoint.requests) == 1


@pytest.mark.parametrize("statuses", [(503, 404), (404, 503)])
async def test_all_are_down_if_one_may_come_back(
    endpoint: Endpoint, pair: FallbackModel, statuses: tuple[int, int]
) -> None:
    endpoint.script(*(Fail(status=status) for status in statuses))
    with pytest.raises(ModelDown, match="503"):
        await answer_of(pair, ASKED)


async def test_all_refuse_for_the_first_ones_reason(
    endpoint: Endpoint, pair: FallbackModel
) -> None:
    endpoint.script(Fail(status=401), Fail(status=404))
    with pytest.raises(ModelRefused, match="401"):
        await answer_of(pair, ASKED)
