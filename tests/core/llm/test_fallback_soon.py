"""A model that is silent is left for the next one, and one that thinks is not."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace

import pytest

from core.llm import Begun, ChatModel
from core.llm.endpoint import EndpointModel
from core.llm.endpoints import Endpoint as At
from core.llm.endpoints import Endpoints
from core.llm.fallback import FallbackModel
from core.llm.time_limits import Limits, first_event_seconds
from tests.core.llm.asking import KEY, answer_of, client_of, request
from tests.peers.endpoint import Behaviour, Endpoint, Raw, Reply, Stall

ASKED = request("Hello")
SOON = 0.05
ARRIVED = 1.0  # seconds in which a request comes to its model, however busy the machine is
PATIENT = Limits(whole=120, wait=60)
THINKING = json.dumps({"choices": [{"delta": {"reasoning_content": "Hm."}}]})
ANSWER = json.dumps({"choices": [{"delta": {"content": "Noon."}, "finish_reason": "stop"}]})


@pytest.fixture
async def models() -> AsyncIterator[Endpoints]:
    """The clients as the program makes them: each retries twice."""
    endpoints = Endpoints(PATIENT)
    yield endpoints
    await endpoints.close()


def first(behaves: Behaviour, then: str | Behaviour = "Noon.") -> Endpoint:
    """Its first model behaves so, and the second then, whichever request comes in first."""
    return Endpoint(lambda body: behaves if body["model"] == "first" else then)


def pair(models: Endpoints, endpoint: Endpoint) -> ChatModel:
    """Two models, of which the first is left once it has been asked."""
    at = At(base_url=endpoint.base_url, api_key=KEY)
    return models.model(("first", "second"), at, first_token_seconds=ARRIVED)


@pytest.mark.parametrize("answered", [True, False])
async def test_a_silent_model_is_asked_once_and_left_for_the_next(
    models: Endpoints, answered: bool
) -> None:
    async with first(Stall(answered=answered)) as endpoint:
        async with asyncio.timeout(50):  # the first alone would be waited for 3 times 60 seconds
            answer = await answer_of(pair(models, endpoint), ASKED)
    assert (answer.model, answer.text) == ("second", "Noon.")
    assert [body["model"] for body in endpoint.requests] == ["first", "second"]


async def test_a_model_that_has_begun_is_not_left(endpoint: Endpoint, models: Endpoints) -> None:
    """Its answer takes longer than a silent one has."""
    at = At(base_url=endpoint.base_url, api_key=KEY)
    model = models.model(("first", "second"), at, first_token_seconds=1)
    slow = Reply(text="x" * 8, size=1, pause=0.1)
    endpoint.script(slow)
    answer = await answer_of(model, ASKED)
    assert (answer.model, answer.text) == ("first", slow.text)
    assert len(endpoint.requests) == 1


async def test_the_first_thought_is_a_beginning(endpoint: Endpoint, models: Endpoints) -> None:
    endpoint.script(Raw(events=(THINKING, ANSWER)))
    at = At(base_url=endpoint.base_url, api_key=KEY)
    model = models.model(("first", "second"), at, first_token_seconds=60)
    async with aclosing(model.stream(ASKED)) as events:
        assert await anext(events) == Begun()
    assert [body["model"] for body in endpoint.requests] == ["first"]


async def test_the_last_model_is_not_left() -> None:
    """Its answer comes, although it takes longer than the others would have had."""
    late = Reply(text="Noon.", size=9, pause=SOON * 2)
    async with (
        first(Stall(answered=False), then=late) as endpoint,
        client_of(endpoint.base_url) as client,
    ):
        model = FallbackModel(
            [EndpointModel(client, name, limits=PATIENT) for name in ("first", "second")],
            first_token_seconds=SOON,
        )
        async with asyncio.timeout(30):
            answer = await answer_of(model, ASKED)
    assert (answer.model, answer.text) == ("second", "Noon.")


async def test_without_a_fallback_nothing_is_left(endpoint: Endpoint, models: Endpoints) -> None:
    at = At(base_url=endpoint.base_url, api_key=KEY)
    model = models.model(("only",), at, first_token_seconds=SOON)
    endpoint.script(Reply(text="Noon.", size=9, pause=SOON * 2))
    assert (await answer_of(model, ASKED)).text == "Noon."


@pytest.mark.parametrize(
    ("effort", "seconds"),
    [
        *((effort, 30) for effort in (None, "none", "minimal", "low")),
        *((effort, 180) for effort in ("medium", "high", "xhigh", "max", "16384")),
    ],
)
def test_who_thinks_more_may_be_silent_for_longer(effort: str | None, seconds: float) -> None:
    assert first_event_seconds(effort) == seconds
    assert Limits().wait_at(effort) >= seconds


@pytest.mark.parametrize(("effort", "answers"), [("low", "second"), ("high", "first")])
async def test_the_effort_of_the_request_is_what_counts(
    endpoint: Endpoint,
    models: Endpoints,
    monkeypatch: pytest.MonkeyPatch,
    effort: str,
    answers: str,
) -> None:
    monkeypatch.setattr("core.llm.time_limits._FIRST_EVENT_SECONDS", SOON)
    at = At(base_url=endpoint.base_url, api_key=KEY)
    model = models.model(("first", "second"), at)
    endpoint.script(Reply(text="Noon.", size=9, pause=SOON * 2))
    answer = await answer_of(model, replace(ASKED, reasoning_effort=effort))
    assert answer.model == answers
