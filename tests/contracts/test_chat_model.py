"""What every ChatModel keeps to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest

from core.llm import Api, ChatModel, Finished, TextDelta
from core.llm.demo import DemoModel
from core.llm.endpoint import EndpointModel
from core.llm.fallback import FallbackModel
from core.llm.time_limits import Limits
from tests.core.llm.asking import answer_of, client_of, events_of, first_of, request
from tests.patience import PATIENCE
from tests.peers.endpoint import Endpoint, Fail

ASKED = request("Remember that our project deadline is March 15th")


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    async with Endpoint(pause=0.01) as endpoint:
        yield endpoint


@pytest.fixture(params=["chat", "responses", "fallback", "demo"])
async def model(request: pytest.FixtureRequest, endpoint: Endpoint) -> AsyncIterator[ChatModel]:
    async with client_of(endpoint.base_url) as client:
        models: dict[str, ChatModel] = {
            **{
                api.value: EndpointModel(client, "gpt-6-luna", api=api, limits=Limits(whole=60))
                for api in (Api.CHAT, Api.RESPONSES)
            },
            "fallback": FallbackModel(
                [
                    EndpointModel(client, "gone", limits=Limits(whole=60)),
                    EndpointModel(client, "gpt-6-luna"),
                ]
            ),
            "demo": DemoModel(pause=0.001),
        }
        if request.param == "fallback":
            endpoint.script(Fail(status=404))
        yield models[request.param]


async def test_a_stream_is_text_and_then_one_end(model: ChatModel) -> None:
    *deltas, last = await events_of(model, ASKED)
    assert len(deltas) > 1
    assert all(isinstance(event, TextDelta) for event in deltas)
    assert isinstance(last, Finished)


async def test_the_text_is_the_sum_of_its_pieces_and_none_is_empty(model: ChatModel) -> None:
    events = await events_of(model, ASKED)
    pieces = [event.text for event in events if isinstance(event, TextDelta)]
    assert all(pieces)
    assert [event.text for event in events if isinstance(event, Finished)] == ["".join(pieces)]


async def test_the_end_says_who_answered(model: ChatModel) -> None:
    assert (await answer_of(model, ASKED)).model in {"gpt-6-luna", model.name}


async def test_the_same_model_can_be_asked_many_times_at_once(model: ChatModel) -> None:
    async with asyncio.TaskGroup() as group:
        answers = [group.create_task(answer_of(model, ASKED)) for _ in range(3)]
    assert len({answer.result().text for answer in answers}) == 1


async def test_a_stream_that_is_left_early_lets_go_of_its_connection(
    model: ChatModel, endpoint: Endpoint
) -> None:
    async with aclosing(model.stream(ASKED)) as events:
        await first_of(events)
    async with asyncio.timeout(PATIENCE):
        await endpoint.idle()
        await answer_of(model, ASKED)  # waits for the only connection


async def test_a_cancelled_stream_lets_go_of_its_connection(
    model: ChatModel, endpoint: Endpoint
) -> None:
    begun = asyncio.Event()

    async def listen() -> None:
        async with aclosing(model.stream(ASKED)) as events:
            async for _ in events:
                begun.set()

    async with asyncio.TaskGroup() as group:
        listening = group.create_task(listen())
        await begun.wait()
        listening.cancel()
    assert listening.cancelled()
    async with asyncio.timeout(PATIENCE):
        await endpoint.idle()
        await answer_of(model, ASKED)  # waits for the only connection
