"""An agent speaks by its own endpoint and key, never by another's."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from core.config.model_choice import ModelChoice
from core.config.settings import load
from core.config.spec import AgentSpec
from core.errors import ModelRefused
from core.llm import ModelRequest, PromptMessage, Role
from core.llm.demo import DemoModel
from core.llm.endpoints import Endpoints
from tests.core.llm.asking import answer_of
from tests.peers.endpoint import Endpoint

ASKED = ModelRequest(messages=(PromptMessage(role=Role.USER, content="Hello"),))
PLAIN = AgentSpec(name="Ada")


@pytest.fixture
async def endpoints() -> AsyncIterator[Endpoints]:
    endpoints = Endpoints()
    yield endpoints
    await endpoints.close()


@pytest.fixture
async def default() -> AsyncIterator[Endpoint]:
    """What OPENAI_BASE_URL names."""
    async with Endpoint() as default:
        yield default


@pytest.fixture
async def own() -> AsyncIterator[Endpoint]:
    """An agent's own endpoint."""
    async with Endpoint() as own:
        yield own


def choice(endpoints: Endpoints, *, may_demo: bool = False, **variables: str) -> ModelChoice:
    """The choice in this environment."""
    settings = load(variables, Path("/nowhere"))
    return ModelChoice(settings, endpoints, may_demo=may_demo)


async def test_an_agent_speaks_by_the_endpoint_and_key_of_the_environment(
    endpoints: Endpoints, default: Endpoint
) -> None:
    chosen = choice(endpoints, OPENAI_API_KEY="sk-1", OPENAI_BASE_URL=default.base_url)
    await answer_of(chosen.of(PLAIN), ASKED)
    assert default.keys == ["sk-1"]


async def test_an_endpoint_of_the_agents_own_is_never_sent_the_key_of_the_environment(
    endpoints: Endpoints, default: Endpoint, own: Endpoint
) -> None:
    chosen = choice(endpoints, OPENAI_API_KEY="sk-1", OPENAI_BASE_URL=default.base_url)
    await answer_of(chosen.of(AgentSpec(name="Ada", base_url=own.base_url)), ASKED)
    assert (own.keys, default.keys) == (["none"], [])


async def test_an_agent_speaks_by_its_own_endpoint_and_key(
    endpoints: Endpoints, own: Endpoint
) -> None:
    chosen = choice(endpoints, OPENAI_API_KEY="sk-1", ADA_KEY="sk-2")
    spec = AgentSpec(name="Ada", base_url=own.base_url, api_key_env="ADA_KEY")
    await answer_of(chosen.of(spec), ASKED)
    assert own.keys == ["sk-2"]


async def test_an_agent_can_have_a_key_of_its_own_at_the_shared_endpoint(
    endpoints: Endpoints, default: Endpoint
) -> None:
    chosen = choice(
        endpoints, OPENAI_API_KEY="sk-1", ADA_KEY="sk-2", OPENAI_BASE_URL=default.base_url
    )
    await answer_of(chosen.of(AgentSpec(name="Ada", api_key_env="ADA_KEY")), ASKED)
    await answer_of(chosen.of(PLAIN), ASKED)
    assert default.keys == ["sk-2", "sk-1"]


async def test_a_local_endpoint_needs_no_key(endpoints: Endpoints, default: Endpoint) -> None:
    await answer_of(choice(endpoints, OPENAI_BASE_URL=default.base_url).of(PLAIN), ASKED)
    assert default.keys == ["none"]


async def test_a_fallback_model_answers_when_the_first_is_gone(
    endpoints: Endpoints, default: Endpoint
) -> None:
    chosen = choice(endpoints, OPENAI_BASE_URL=default.base_url)
    spec = AgentSpec(name="Ada", model="big", fallback_models=("small",))
    await answer_of(chosen.of(spec), ASKED)
    assert chosen.of(spec).name == "big"


@pytest.mark.parametrize(
    ("spec", "variable"),
    [
        (PLAIN, "OPENAI_API_KEY"),
        (AgentSpec(name="Ada", api_key_env="ADA_KEY"), "ADA_KEY"),
        (AgentSpec(name="Ada", base_url="http://own/v1", api_key_env="ADA_KEY"), "ADA_KEY"),
    ],
)
def test_a_missing_key_is_told_to_the_operator_and_the_person(
    endpoints: Endpoints, spec: AgentSpec, variable: str
) -> None:
    with pytest.raises(ModelRefused, match=f"agent Ada has no key: set {variable} in") as refused:
        choice(endpoints).of(spec)
    assert refused.value.told.startswith("I have no key for my language model.")


def test_the_demo_stands_in_where_it_is_allowed_and_there_is_no_key(endpoints: Endpoints) -> None:
    chosen = choice(endpoints, may_demo=True)
    assert chosen.is_demo(PLAIN)
    assert isinstance(chosen.of(PLAIN), DemoModel)


@pytest.mark.parametrize(
    ("spec", "variables"),
    [
        (PLAIN, {"OPENAI_API_KEY": "sk-1"}),
        (PLAIN, {"OPENAI_BASE_URL": "http://local/v1"}),
        (AgentSpec(name="Ada", base_url="http://own/v1"), {}),
        (AgentSpec(name="Ada", api_key_env="ADA_KEY"), {}),
    ],
)
def test_the_demo_never_stands_in_for_a_model_that_was_asked_for(
    endpoints: Endpoints, spec: AgentSpec, variables: dict[str, str]
) -> None:
    assert not choice(endpoints, may_demo=True, **variables).is_demo(spec)


def test_the_demo_never_stands_in_where_it_is_not_allowed(endpoints: Endpoints) -> None:
    assert not choice(endpoints).is_demo(PLAIN)
