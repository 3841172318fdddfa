"""Chunks of Chat Completions as vendors and servers write them."""

from __future__ import annotations

from tests.peers.dialects.build import (
    ANSWERED,
    AS_TEXT,
    CALLS,
    DONE,
    TEXT,
    answers,
    called,
    chunk,
    failure,
    once,
    speech,
    stream,
    turn,
    usage,
)
from tests.peers.dialects.dialect import Dialect, Expected, Json, Play

_TWO = (("clock", {"timezone": "UTC"}), ("clock", {"timezone": "Asia/Tokyo"}))
_TOKYO = '{"timezone": "Asia/Tokyo"}'
_ENDED = chunk({}, "tool_calls")
_SAFE = {"hate": {"filtered": False, "severity": "safe"}}
_SIGNED = {"google": {"thought_signature": "EpYCCpMCAb4+9vuzignature=="}}
_UNSIGNED = failure(
    400,
    [
        {
            "error": {
                "code": 400,
                "message": "Function call is missing a thought_signature in functionCall parts. "
                "This is required for tools to work correctly, and missing thought_signature may "
                "lead to degraded model performance. Additional data, function call "
                "`default_api:clock` , position 2. Please refer to "
                "https://ai.google.dev/gemini-api/docs/thought-signatures for more details.",
                "status": "INVALID_ARGUMENT",
            }
        }
    ],
)
_NO_REASONING = failure(
    400,
    {
        "error": {
            "message": "The `reasoning_content` in the thinking mode must be passed back to the "
            "API.",
            "type": "invalid_request_error",
            "param": None,
            "code": "invalid_request_error",
        }
    },
)
_DETAILS = [
    {
        "type": "reasoning.encrypted",
        "data": "gAAAAABqs53qZCG4G16PIVUyjAw4",
        "format": "openai-responses-v1",
        "id": "rs_05a6389df207c51e016a99d959",
        "index": 0,
    },
    {"type": "reasoning.summary", "summary": "Two steps.", "index": 1},
]


def _pair(name: str, source: str, *ids: Json) -> Dialect:
    """Two whole calls in two chunks, with such indexes and ids."""
    texts = (AS_TEXT, _TOKYO)
    first, second = ({**called(text), **each} for text, each in zip(texts, ids, strict=True))
    return Dialect(
        name=name,
        source=source,
        plays=turn(
            chunk({"role": "assistant", "content": "", "tool_calls": [first]}),
            chunk({"tool_calls": [second]}),
            _ENDED,
            DONE,
        ),
        expects=answers(calls=_TWO),
    )


VENDORS = (
    Dialect(
        name="OpenAI: names first, arguments in pieces, usage in a chunk of its own",
        source="aaif-goose/goose#3875",
        plays=(
            Play(
                answer=stream(
                    chunk({"role": "assistant", "content": None, "refusal": None}, obfuscation="a"),
                    chunk({"tool_calls": [called("", index=0, id="call_1")]}, obfuscation="bc"),
                    chunk({"tool_calls": [{"index": 0, "function": {"arguments": AS_TEXT[:9]}}]}),
                    chunk({"tool_calls": [{"index": 0, "function": {"arguments": AS_TEXT[9:]}}]}),
                    _ENDED,
                    DONE,
                )
            ),
            Play(
                answer=stream(
                    *speech(TEXT),
                    usage(
                        {
                            "prompt_tokens": 1200,
                            "completion_tokens": 8,
                            "total_tokens": 1208,
                            "prompt_tokens_details": {"cached_tokens": 1024, "audio_tokens": 0},
                        }
                    ),
                    DONE,
                ),
                given_back=({"role": "tool", "tool_call_id": "call_1"},),
            ),
        ),
        expects=answers(usage=(1200, 1024, 8)),
    ),
    Dialect(
        name="Azure: a first chunk without choices, chunks without delta",
        source="microsoft/autogen#6465, aaif-goose/goose#8641",
        plays=(
            Play(
                answer=stream(
                    {
                        "choices": [],
                        "created": 0,
                        "id": "",
                        "model": "",
                        "object": "",
                        "prompt_filter_results": [
                            {"prompt_index": 0, "content_filter_results": _SAFE}
                        ],
                    },
                    chunk({"tool_calls": [called(index=0, id="call_1")]}),
                    _ENDED,
                    DONE,
                )
            ),
            Play(
                answer=stream(
                    *speech(TEXT)[:2],
                    {
                        "id": "",
                        "object": "",
                        "created": 0,
                        "model": "",
                        "choices": [
                            {
                                "index": 0,
                                "finish_reason": None,
                                "content_filter_results": _SAFE,
                                "content_filter_offsets": {"check_offset": 44, "end_offset": 198},
                            }
                        ],
                        "usage": None,
                    },
                    chunk({}, "stop"),
                    DONE,
                ),
                given_back=({"role": "tool"},),
            ),
        ),
        expects=answers(),
    ),
    Dialect(
        name="GitHub Models: no model at first, usage beside an empty content at the end",
        source="aaif-goose/goose#3875",
        plays=once(
            {"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}], "id": "1"},
            chunk({"content": TEXT}),
            chunk(
                {"content": None},
                "stop",
                usage={"prompt_tokens": 20, "completion_tokens": 8, "total_tokens": 28},
            ),
            DONE,
        ),
        expects=Expected(text=TEXT, usage=(20, 0, 8)),
    ),
    Dialect(
        name="Mistral: content is a list of parts, thinking among them",
        source="openclaw/openclaw#68418, NousResearch/hermes-agent#4748, BerriAI/litellm#16272",
        plays=(
            Play(
                answer=stream(
                    chunk({"role": "assistant", "content": ""}),
                    chunk(
                        {
                            "content": [
                                {
                                    "type": "thinking",
                                    "thinking": [{"type": "text", "text": "I need the clock."}],
                                }
                            ]
                        }
                    ),
                    chunk(
                        {"content": "", "tool_calls": [called(index=0, id="D681PevKs")]},
                        "tool_calls",
                        usage={"prompt_tokens": 90, "completion_tokens": 21, "total_tokens": 111},
                    ),
                    DONE,
                )
            ),
            Play(
                answer=stream(
                    chunk(
                        {
                            "content": [
                                {
                                    "type": "thinking",
                                    "thinking": [{"type": "text", "text": "Noon it is."}],
                                }
                            ]
                        }
                    ),
                    chunk({"content": [{"type": "text", "text": "It is noon"}]}),
                    chunk({"content": " in UTC."}),
                    chunk(
                        {"content": ""},
                        "stop",
                        usage={"prompt_tokens": 130, "completion_tokens": 30, "total_tokens": 160},
                    ),
                    DONE,
                ),
                given_back=({"role": "tool", "tool_call_id": "D681PevKs"},),
            ),
        ),
        expects=answers(usage=(130, 0, 30)),
    ),
    Dialect(
        name="Gemini 3: the thought signature of a call comes back with it",
        source="securo-finance/securo#884, 0xsline/OpenChatCut#6",
        plays=turn(
            chunk(
                {
                    "role": "assistant",
                    "tool_calls": [called(index=0, id="call_7", extra_content=_SIGNED)],
                },
                "tool_calls",
            ),
            DONE,
            given_back=(
                {"role": "assistant", "tool_calls": [{"id": "call_7", "extra_content": _SIGNED}]},
            ),
        ),
        lacking=_UNSIGNED,
        expects=answers(),
    ),
    Dialect(
        name="DeepSeek thinking: the reasoning of a turn with calls comes back",
        source="api-docs.deepseek.com/guides/thinking_mode, earendil-works/pi#3636",
        plays=(
            Play(
                answer=stream(
                    chunk({"role": "assistant", "content": None, "reasoning_content": ""}),
                    chunk({"content": None, "reasoning_content": "I need "}),
                    chunk({"content": None, "reasoning_content": "the clock."}),
                    chunk({"tool_calls": [called("", index=0, id="call_00_a")]}),
                    chunk({"tool_calls": [{"index": 0, "function": {"arguments": AS_TEXT}}]}),
                    _ENDED,
                    DONE,
                )
            ),
            Play(
                answer=stream(
                    chunk({"content": None, "reasoning_content": "Noon."}),
                    chunk({"content": TEXT, "reasoning_content": None}),
                    chunk(
                        {"content": "", "reasoning_content": None},
                        "stop",
                        usage={
                            "prompt_tokens": 300,
                            "completion_tokens": 12,
                            "total_tokens": 312,
                            "prompt_cache_hit_tokens": 256,
                            "prompt_cache_miss_tokens": 44,
                        },
                    ),
                    DONE,
                ),
                given_back=(
                    {
                        "role": "assistant",
                        "reasoning_content": "I need the clock.",
                        "tool_calls": [{"id": "call_00_a"}],
                    },
                    {"role": "tool", "tool_call_id": "call_00_a"},
                ),
            ),
        ),
        lacking=_NO_REASONING,
        expects=answers(usage=(300, 256, 12)),
    ),
    Dialect(
        name="OpenRouter: opaque reasoning details come back",
        source="openrouter.ai/docs/use-cases/reasoning-tokens",
        plays=turn(
            chunk(
                {
                    "content": "",
                    "role": "assistant",
                    "reasoning": None,
                    "reasoning_details": _DETAILS[:1],
                },
                native_finish_reason=None,
                provider="OpenAI",
            ),
            chunk({"reasoning_details": _DETAILS[1:]}),
            chunk({"tool_calls": [called(index=0, id="call_9")]}),
            _ENDED,
            DONE,
            given_back=({"role": "assistant", "reasoning_details": _DETAILS},),
        ),
        expects=answers(),
    ),
    Dialect(
        name="Ollama, before: calls without an index",
        source="ollama/ollama#7881",
        plays=turn(
            chunk({"role": "assistant", "content": "", "tool_calls": [called(id="call_a")]}),
            _ENDED,
            DONE,
        ),
        expects=answers(),
    ),
    _pair(
        "Ollama: every call has index 0",
        "ollama/ollama#15457",
        {"index": 0, "id": "call_a"},
        {"index": 0, "id": "call_b"},
    ),
    _pair(
        "Local servers: two calls with index 0 and an empty id",
        "NousResearch/hermes-agent#62937",
        {"index": 0, "id": ""},
        {"index": 0, "id": ""},
    ),
    _pair(
        "Local servers: two calls with index 0 and no id",
        "NousResearch/hermes-agent#62937",
        {"index": 0},
        {"index": 0},
    ),
    _pair(
        "Local servers: two calls with index 0 and null for an id",
        "NousResearch/hermes-agent#62937",
        {"index": 0, "id": None},
        {"index": 0, "id": None},
    ),
    Dialect(
        name="Local servers: both calls in one chunk, index 0, empty id",
        source="NousResearch/hermes-agent#62937",
        plays=turn(
            chunk(
                {
                    "role": "assistant",
                    "tool_calls": [
                        called(index=0, id=""),
                        called(_TOKYO, index=0, id=""),
                    ],
                }
            ),
            _ENDED,
            DONE,
        ),
        expects=answers(calls=_TWO),
    ),
    Dialect(
        name="Ollama: arguments are an object",
        source="mike-nott/mcp-assist#42",
        plays=turn(
            chunk({"tool_calls": [called({"timezone": "UTC"}, index=0, id="call_a")]}),
            _ENDED,
            DONE,
        ),
        expects=answers(),
    ),
    Dialect(
        name="A gateway: frames without choices",
        source="aaif-goose/goose#10935",
        plays=(
            Play(
                answer=stream(
                    {"hook_results": {"before_request_hooks": [{"verdict": True, "id": "g1"}]}},
                    chunk({"tool_calls": [called(index=0, id="call_a")]}),
                    _ENDED,
                    DONE,
                )
            ),
            Play(answer=ANSWERED, given_back=({"role": "tool"},)),
        ),
        expects=answers(calls=CALLS),
    ),
)
