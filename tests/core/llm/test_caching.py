"""What an endpoint is told for its prompt cache."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.llm import Api, ModelRequest, PromptCache, PromptMessage, Role
from core.llm.caching import MARK, OPTIONS, resolved
from core.llm.chat import Chat
from core.llm.endpoint import EndpointModel
from core.llm.responses import Responses
from core.llm.wire import Wire
from tests.core.llm.asking import answer_of, client_of
from tests.peers.endpoint import Endpoint, Fail
from tests.peers.endpoint.behaviours import Behaviour
from tests.peers.endpoint.bodies import Body

EXPLICIT = {"mode": "explicit"}
MESSAGES = (
    PromptMessage(role=Role.SYSTEM, content="Be brief.", ends_stable=True),
    PromptMessage(role=Role.USER, content="Hello", ends_stable=True),
    PromptMessage(role=Role.ASSISTANT, content="Hello!"),
    PromptMessage(role=Role.USER, content="What time is it?"),
)
ASKED = ModelRequest(messages=MESSAGES, cache_key="k1")


@pytest.mark.parametrize(
    ("mode", "model", "is_openais", "key", "has_marks"),
    [
        ("auto", "gpt-6-luna", True, "k1", True),
        ("auto", "gpt-5.6-terra", True, "k1", True),
        ("auto", "gpt-5.5", True, "k1", False),
        ("auto", "gpt-4o", True, "k1", False),
        ("auto", "o3", True, "k1", False),
        ("auto", "gpt-6-luna", False, "", False),
        ("explicit", "qwen3", False, "k1", True),
        ("off", "gpt-6-luna", True, "", False),
    ],
)
def test_auto_tells_openais_endpoint_what_its_model_takes_and_others_nothing(
    mode: str, model: str, is_openais: bool, key: str, has_marks: bool
) -> None:
    asked = resolved(replace(ASKED, prompt_cache=PromptCache(mode)), model, is_openais=is_openais)
    for wire in (Chat(), Responses()):
        body = wire.body(model, asked)
        assert (body.get("prompt_cache_key", ""), OPTIONS in body) == (key, has_marks)
        assert (MARK in str(body)) is has_marks


@pytest.mark.parametrize(
    ("wire", "name", "kind", "system"),
    [(Chat(), "messages", "text", "system"), (Responses(), "input", "input_text", "developer")],
)
def test_marks_stand_at_the_ends_of_what_comes_again(
    wire: Wire, name: str, kind: str, system: str
) -> None:
    body = wire.body("m", replace(ASKED, prompt_cache=PromptCache.EXPLICIT))
    assert body[OPTIONS] == EXPLICIT
    assert "instructions" not in body
    first, second, *others = body[name]
    assert (first["role"], second["role"]) == (system, "user")
    assert first["content"] == [{"type": kind, "text": "Be brief.", MARK: EXPLICIT}]
    assert second["content"] == [{"type": kind, "text": "Hello", MARK: EXPLICIT}]
    assert MARK not in str(others)


@pytest.mark.parametrize("api", [Api.CHAT, Api.RESPONSES])
@pytest.mark.parametrize(
    ("param", "message"),
    [
        (OPTIONS, f"Unknown parameter: '{OPTIONS}'."),
        (f"input[0].content[0].{MARK}", f"Unknown parameter: 'input[0].content[0].{MARK}'."),
    ],
)
async def test_an_endpoint_that_refuses_marks_is_told_none_from_then_on(
    api: Api, param: str, message: str
) -> None:
    def answer(body: Body) -> str | Behaviour:
        return Fail(status=400, message=message, param=param) if OPTIONS in body else "Noon."

    asked = replace(ASKED, prompt_cache=PromptCache.EXPLICIT)
    async with Endpoint(answer) as endpoint, client_of(endpoint.base_url) as client:
        model = EndpointModel(client, "m", api=api)
        for _ in range(2):
            assert (await answer_of(model, asked)).text == "Noon."
        assert [OPTIONS in body for body in endpoint.requests] == [True, False, False]
        assert MARK not in str(endpoint.requests[1:])
