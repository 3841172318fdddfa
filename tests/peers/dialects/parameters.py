"""What endpoints refuse by name: the request is right again without it."""

from __future__ import annotations

from tests.peers.dialects.build import (
    ANSWERED,
    CALLS,
    DONE,
    TEXT,
    called,
    chunk,
    failure,
    openai_failure,
    turn,
)
from tests.peers.dialects.dialect import Ask, Dialect, Expected, Objection, Play
from tests.peers.endpoint.behaviours import Exactly

_TURN = turn(
    chunk({"role": "assistant", "tool_calls": [called(index=0, id="call_a")]}),
    chunk({}, "tool_calls"),
    DONE,
)
_ONLY_TEXT = (Play(answer=ANSWERED),)


def _without(name: str, source: str, parameter: str, answer: Exactly, ask: Ask) -> Dialect:
    """Takes the request without that parameter; without tools it only speaks."""
    has_tools = parameter != "tools"
    return Dialect(
        name=name,
        source=source,
        plays=_TURN if has_tools else _ONLY_TEXT,
        ask=ask,
        objections=(Objection(answer=answer, parameter=parameter),),
        expects=Expected(text=TEXT, calls=CALLS if has_tools else (), without=(parameter,)),
    )


def _vllm(message: str) -> Exactly:
    return failure(
        400,
        {
            "object": "error",
            "message": message,
            "type": "BadRequestError",
            "param": None,
            "code": 400,
        },
    )


def _pydantic(*fields: str) -> Exactly:
    """As FastAPI words its 422."""
    detail = [
        {
            "type": "extra_forbidden",
            "loc": ["body", field],
            "msg": "Extra inputs are not permitted",
            "input": None,
        }
        for field in fields
    ]
    return failure(422, {"detail": detail})


_ALTERNATE = "Conversation roles must alternate user/assistant/user/assistant/..."
_PLAIN = Ask()

PARAMETERS = (
    _without(
        "OpenAI: temperature has only one value",
        "griptape-ai/griptape#1915, QwenLM/qwen-code#921",
        "temperature",
        openai_failure(
            "Unsupported value: 'temperature' does not support 0.2 with this model. Only the "
            "default (1) value is supported.",
            param="temperature",
            code="unsupported_value",
        ),
        Ask(temperature=0.2),
    ),
    _without(
        "OpenAI: no temperature",
        "npiv/chatblade#100, BerriAI/litellm#39631",
        "temperature",
        openai_failure(
            "Unsupported parameter: 'temperature' is not supported with this model.",
            param="temperature",
            code="unsupported_parameter",
        ),
        Ask(temperature=0.2),
    ),
    _without(
        "Ollama: a model without tools",
        "openclaw/openclaw#12292, louisho5/picobot#6",
        "tools",
        failure(
            400,
            {
                "error": {
                    "message": "registry.ollama.ai/library/gemma3:4b does not support tools",
                    "type": "api_error",
                    "param": None,
                    "code": None,
                }
            },
        ),
        _PLAIN,
    ),
    _without(
        "vLLM: tools were not switched on",
        "ogx-ai/ogx#1185, vllm-project/vllm#9986",
        "tools",
        _vllm(
            '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set'
        ),
        _PLAIN,
    ),
    _without(
        "vLLM, newer: tools were not switched on",
        "langchain4j/langchain4j#3475, suitenumerique/conversations#197 for the body",
        "tools",
        failure(
            400,
            {
                "error": {
                    "message": '"auto" tool choice requires --enable-auto-tool-choice and '
                    "--tool-call-parser to be set",
                    "type": "BadRequestError",
                    "param": None,
                    "code": 400,
                }
            },
        ),
        _PLAIN,
    ),
    _without(
        "OpenRouter: nobody serves the model with tools, a 404",
        "openrouter.ai: No endpoints found that support tool use",
        "tools",
        failure(
            404, {"error": {"message": "No endpoints found that support tool use", "code": 404}}
        ),
        _PLAIN,
    ),
    _without(
        "Mistral: tools are an extra input",
        "partITech/php-mistral#76",
        "tools",
        failure(
            422,
            {
                "object": "Error",
                "detail": [
                    {
                        "type": "extra_forbidden",
                        "loc": ["body", "tools"],
                        "msg": "Extra inputs are not permitted",
                        "input": [],
                    }
                ],
                "message": [
                    {
                        "type": "extra_forbidden",
                        "loc": ["body", "tools"],
                        "msg": "Extra inputs are not permitted",
                        "input": [],
                    }
                ],
                "type": "invalid_request_error",
                "code": 3001,
            },
        ),
        _PLAIN,
    ),
    _without(
        "Mistral: no stream_options",
        "Mistral's 422 as public clients' tests have it",
        "stream_options",
        _pydantic("stream_options"),
        _PLAIN,
    ),
    _without(
        "Mistral: no store",
        "Gitlawb/openclaude#739",
        "store",
        _pydantic("store", "max_completion_tokens"),
        _PLAIN,
    ),
    _without(
        "OpenAI o-series: no parallel_tool_calls",
        "langchain-ai/langchain#29704",
        "parallel_tool_calls",
        openai_failure(
            "Unsupported parameter: 'parallel_tool_calls' is not supported with this model.",
            param="parallel_tool_calls",
            code="unsupported_parameter",
        ),
        _PLAIN,
    ),
    _without(
        "OpenAI: max_tokens has another name",
        "bolna-ai/bolna#1019, developers.openai.com",
        "max_tokens",
        openai_failure(
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use "
            "'max_completion_tokens' instead.",
            param="max_tokens",
            code="unsupported_parameter",
        ),
        _PLAIN,
    ),
    _without(
        "xAI: no reasoning effort, by another spelling",
        "public clients' tests of api.x.ai",
        "reasoning_effort",
        failure(
            400,
            {
                "code": "Client specified an invalid argument",
                "error": "Model grok-4 does not support parameter reasoningEffort.",
            },
        ),
        Ask(effort="low"),
    ),
    _without(
        "xAI: no reasoning effort, as it is spelled",
        "public clients' tests of api.x.ai",
        "reasoning_effort",
        failure(400, {"error": "Argument not supported on this model: reasoning_effort"}),
        Ask(effort="low"),
    ),
    Dialect(
        name="Gemma on vLLM: no system role",
        source="vllm-project/vllm#2964, huggingface/chat-ui#1386",
        plays=_TURN,
        objections=(Objection(answer=_vllm("System role not supported"), role="system"),),
        expects=Expected(text=TEXT, calls=CALLS),
    ),
    Dialect(
        name="Gemma on vLLM: turns must alternate",
        source="suitenumerique/conversations#197, microsoft/autogen#1037",
        plays=_ONLY_TEXT,
        ask=Ask(messages=2),
        objections=(
            Objection(
                answer=failure(
                    400,
                    {
                        "error": {
                            "message": f"{_ALTERNATE} {_ALTERNATE}",
                            "type": "BadRequestError",
                            "param": None,
                            "code": 400,
                        }
                    },
                ),
                not_alternating=True,
            ),
        ),
        expects=Expected(text=TEXT),
    ),
    Dialect(
        name="Mistral's first models on vLLM: turns must alternate, the system role included",
        source="microsoft/autogen#1037",
        plays=_ONLY_TEXT,
        ask=Ask(messages=2),
        objections=(
            Objection(answer=_vllm(_ALTERNATE), role="system"),
            Objection(answer=_vllm(_ALTERNATE), not_alternating=True),
        ),
        expects=Expected(text=TEXT),
    ),
    Dialect(
        name="A model that lets go of everything, one after the other",
        source="Gitlawb/openclaude#739: several refusals at once",
        plays=_ONLY_TEXT,
        ask=Ask(temperature=0.2),
        objections=(
            Objection(answer=_pydantic("stream_options"), parameter="stream_options"),
            Objection(answer=_pydantic("temperature"), parameter="temperature"),
            Objection(answer=_pydantic("tools"), parameter="tools"),
        ),
        expects=Expected(text=TEXT, without=("stream_options", "temperature", "tools")),
    ),
)
