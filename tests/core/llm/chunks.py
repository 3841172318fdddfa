"""What a fuzz test begins with: a stream of each API as it really comes, and words of both."""

from __future__ import annotations

from collections.abc import Mapping

Json = Mapping[str, object]

_FUNCTION: Json = {"name": "clock", "arguments": '{"zone": "UTC"}'}
_CALL: Json = {"index": 0, "id": "call_1", "type": "function", "function": _FUNCTION}
_REASONING: Json = {"id": "rs_1", "type": "reasoning", "encrypted_content": "gAAAA", "summary": []}
_CALLING: Json = {**_FUNCTION, "id": "fc_1", "type": "function_call", "call_id": "call_1"}
_PART: Json = {"type": "output_text", "text": "Hello", "annotations": []}
_MESSAGE: Json = {"id": "msg_1", "type": "message", "role": "assistant", "content": [_PART]}
_USAGE: Json = {"prompt_tokens": 9, "completion_tokens": 2, "prompt_tokens_details": {}}
_COUNTED: Json = {"input_tokens": 9, "output_tokens": 2, "input_tokens_details": {}}

OF_CHAT: tuple[Json, ...] = (
    {"choices": [{"index": 0, "delta": {"role": "assistant", "content": "Hello"}}]},
    {"choices": [{"index": 0, "delta": {"tool_calls": [{**_CALL, "extra_content": "DEEP"}]}}]},
    {"choices": [{"index": 0, "delta": {"reasoning_content": "Hm.", "refusal": None}}]},
    {"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]},
    {"choices": [], "usage": _USAGE},
)
OF_RESPONSES: tuple[Json, ...] = (
    {"type": "response.output_text.delta", "output_index": 1, "delta": "Hello"},
    {
        "type": "response.output_item.done",
        "output_index": 0,
        "item": {**_REASONING, "content": "DEEP"},
    },
    {"type": "response.output_item.done", "output_index": 1, "item": _MESSAGE},
    {"type": "response.output_item.done", "output_index": 2, "item": _CALLING},
    {
        "type": "response.completed",
        "response": {"status": "completed", "output": [], "usage": _COUNTED},
    },
)
KEYS = (
    *("choices", "delta", "message", "content", "text", "value", "type", "tool_calls", "function"),
    *("name", "arguments", "index", "id", "call_id", "refusal", "finish_reason", "usage", "item"),
    *("output", "output_index", "response", "error", "code", "param", "status", "detail", "msg"),
    *("loc", "metadata", "raw", "object", "incomplete_details", "reason", "n_ctx", "summary"),
    *("prompt_tokens", "prompt_tokens_details", "cached_tokens", "encrypted_content", "role"),
)
WORDS = (
    *("a\0b", "\ud83d", "text", "message", "function_call", "reasoning", "response.completed"),
    *("response.output_text.delta", "response.output_item.done", "response", "error", "stop"),
    *("<think>", "</think>", "[DONE]", "{}", '{"a": 1}', "invalid_request_error", "length"),
    *("unsupported parameter: temperature", "use /v1/responses", "use chat completions"),
    *("roles must alternate", "system role not supported", "tools are not supported", "400"),
    *("reasoning_effort must be none", "messages", "instructions", "stream_options", "٤٠٠"),
)
