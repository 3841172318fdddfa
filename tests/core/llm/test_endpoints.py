"""The clients of a process."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncIterator

import pytest

from core.errors import ConfigMistake
from core.llm import endpoints as where
from core.llm.endpoints import OPENAI, Endpoints
from tests.core.llm.asking import answer_of, request
from tests.peers.endpoint import Endpoint, Fail

ASKED = request("Hello")
IMPORTS = "import sys, core.llm.endpoints, core.llm.pricing; print(*sys.modules)"


def at(base_url: str, key: str, variable: str = "OPENAI_API_KEY") -> where.Endpoint:
    """There, with this key."""
    return where.Endpoint(base_url=base_url, api_key=key, key_variable=variable)


@pytest.fixture
async def endpoints() -> AsyncIterator[Endpoints]:
    endpoints = Endpoints()
    yield endpoints
    await endpoints.close()


async def test_a_model_answers_with_the_key_it_was_given(
    endpoint: Endpoint, endpoints: Endpoints
) -> None:
    model = endpoints.model(["gpt-6-luna"], at(endpoint.base_url, "sk-1"))
    assert (await answer_of(model, ASKED)).text == "You said: Hello"
    assert endpoint.keys == ["sk-1"]


async def test_an_endpoint_is_told_nothing_about_this_machine(
    endpoint: Endpoint, endpoints: Endpoints
) -> None:
    model = endpoints.model(["gpt-6-luna"], at(endpoint.base_url, "sk-1"))
    await answer_of(model, ASKED)
    told = {name for name in endpoint.headers[0] if name.startswith("x-stainless")}
    assert told == {"x-stainless-retry-count", "x-stainless-read-timeout"}


async def test_further_names_are_fallbacks(endpoint: Endpoint, endpoints: Endpoints) -> None:
    model = endpoints.model(["one", "two"], at(endpoint.base_url, "sk-1"))
    endpoint.script(Fail(status=404))
    assert (await answer_of(model, ASKED)).model == "two"


def test_a_model_is_made_once(endpoints: Endpoints) -> None:
    first, again = (
        endpoints.model(["gpt-6-luna"], at("http://127.0.0.1:9/v1", "sk-1")) for _ in range(2)
    )
    assert first is again


async def test_two_keys_of_one_endpoint_stay_apart(
    endpoint: Endpoint, endpoints: Endpoints
) -> None:
    for key in ("sk-1", "sk-2"):
        model = endpoints.model(["gpt-6-luna"], at(endpoint.base_url, key))
        await answer_of(model, ASKED)
    assert endpoint.keys == ["sk-1", "sk-2"]


@pytest.mark.parametrize("key", ["sk-ключ", "sk-1\nsk-2"])
def test_a_key_that_cannot_be_sent_is_a_mistake(endpoints: Endpoints, key: str) -> None:
    with pytest.raises(ConfigMistake, match="LOCAL_KEY") as caught:
        endpoints.model(["gpt-6-luna"], at(OPENAI, key, "LOCAL_KEY"))
    assert key not in str(caught.value)


async def test_closing_twice_is_fine_and_a_new_model_works_again(
    endpoint: Endpoint, endpoints: Endpoints
) -> None:
    model = endpoints.model(["gpt-6-luna"], at(endpoint.base_url, "sk-1"))
    await endpoints.close()
    await endpoints.close()
    again = endpoints.model(["gpt-6-luna"], at(endpoint.base_url, "sk-1"))
    assert again is not model
    assert (await answer_of(again, ASKED)).text == "You said: Hello"


def test_the_expensive_packages_are_not_imported_before_they_are_needed() -> None:
    done = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", IMPORTS], capture_output=True, text=True, check=True
    )
    assert not {"openai", "genai_prices"} & set(done.stdout.split())
