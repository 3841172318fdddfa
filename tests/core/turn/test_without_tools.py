"""A model that takes no tools is told what they would have looked up."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from core.config.spec import AgentSpec
from core.llm.endpoint import EndpointModel
from core.tools.catalogue import toolbox
from tests.core.given import Stage
from tests.core.llm.asking import client_of
from tests.peers.endpoint import Behaviour, Body, Endpoint, Fail


def _answer(body: Body) -> str | Behaviour:
    """As Ollama answers for a model without tools."""
    if "tools" in body:
        return Fail(status=400, message="registry.ollama.ai/library/m does not support tools")
    return "Understood."


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    async with Endpoint(_answer) as endpoint:
        yield endpoint


@pytest.fixture
async def stage(stage: Stage, endpoint: Endpoint) -> AsyncIterator[Stage]:
    """An agent with the built-in tools, which remembers few messages."""
    stage = Stage(spec=AgentSpec(name="Ada", window_tokens=1_000))
    async with client_of(endpoint.base_url) as client:
        stage.answering = EndpointModel(client, "m")
        stage.toolbox_of = lambda spec: toolbox(spec.tools, with_memory=spec.memory)
        yield stage


async def asked(stage: Stage, text: str) -> str:
    """The answer to it."""
    said = await stage.say(text)
    await stage.worker().attend(said.conversation_id)
    return stage.platform.transcript[-1]


async def test_it_knows_the_time_and_what_was_said_long_ago(
    stage: Stage, endpoint: Endpoint
) -> None:
    await asked(stage, "The crane is called Kolossos")
    for number in range(12):
        await asked(stage, f"{number} " + "word " * 100)
    assert await asked(stage, "What is the crane called?") == "Understood."
    *_, question = endpoint.requests[-1]["messages"]
    shown = str(question["content"])
    assert f"{stage.clock():%d %B %Y, %H:%M} (UTC" in shown
    assert "Kolossos" in shown
    assert shown.endswith("What is the crane called?")
    assert "tools" not in endpoint.requests[-1]


async def test_who_has_no_such_tools_is_told_nothing(stage: Stage, endpoint: Endpoint) -> None:
    stage.toolbox_of = lambda _: toolbox(("remember",), with_memory=True)
    await asked(stage, "Hello")
    assert str(endpoint.requests[-1]["messages"][-1]["content"]) == "Hello"
