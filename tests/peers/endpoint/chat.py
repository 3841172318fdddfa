"""Chat Completions as OpenAI streams them, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from tests.peers.endpoint.behaviours import (
    Behaviour,
    CallTool,
    CallTools,
    Disconnect,
    Exactly,
    Fail,
    FailLate,
    Malformed,
    Raw,
    Refuse,
    Reply,
    Stall,
    Truncate,
)
from tests.peers.endpoint.bodies import Body

_DONE = "[DONE]"


def refused(body: Body) -> Fail | None:
    """What is wrong with a request, whichever the model: calls and results that do not match."""
    waiting: list[str] = []
    for index, message in enumerate(body["messages"]):
        if message["role"] == "tool":
            if (answered := message.get("tool_call_id", "")) not in waiting:
                return _invalid(
                    "Invalid parameter: messages with role 'tool' must be a response to a "
                    "preceeding message with 'tool_calls'.",
                    f"messages.[{index}].role",
                )
            waiting.remove(answered)
        elif waiting:
            break
        else:
            waiting = [str(call["id"]) for call in message.get("tool_calls") or ()]
    if waiting:
        return _invalid(
            "An assistant message with 'tool_calls' must be followed by tool messages responding "
            "to each 'tool_call_id'. The following tool_call_ids did not have response messages: "
            + ", ".join(waiting),
            "messages",
        )
    return None


def _invalid(message: str, param: str) -> Fail:
    return Fail(status=400, type="invalid_request_error", message=message, param=param)


def events(behaviour: Behaviour, body: Body) -> Iterator[str]:
    """Each event as it is written."""
    for data in _data(behaviour, body):
        yield f"data: {data}\n\n"


def _data(behaviour: Behaviour, body: Body) -> Iterator[str]:
    match behaviour:
        case Raw():
            yield from behaviour.events
        case Reply():
            yield from _answer(behaviour, body)
        case Refuse():
            yield _chunk(body, {"role": "assistant", "content": None, "refusal": ""})
            yield _chunk(body, {"refusal": behaviour.text})
            yield _chunk(body, {}, finish_reason="stop")
            yield _DONE
        case CallTool():
            yield from _tool_calls(CallTools(calls=(behaviour,)), body)
        case CallTools():
            yield from _tool_calls(behaviour, body)
        case Truncate() | Malformed() | Disconnect() | Stall() | FailLate():
            yield from _texts(behaviour.text, 5, body)[: behaviour.after]
            if isinstance(behaviour, Malformed):
                yield '{"id": "chatcmpl-1", "choices": [{"delta": {"con'
            if isinstance(behaviour, FailLate):
                error = {"message": behaviour.message, "type": behaviour.code}
                yield json.dumps({"error": {**error, "param": None, "code": behaviour.code}})
        case Fail() | Exactly():
            raise AssertionError("answered without these events")


def _answer(reply: Reply, body: Body) -> Iterator[str]:
    yield _chunk(body, {"role": "assistant", "content": "", "refusal": None})
    yield from _texts(reply.text, reply.size, body)
    yield _chunk(body, {}, finish_reason=reply.finish_reason)
    if reply.usage and (body.get("stream_options") or {}).get("include_usage"):
        yield _usage(reply, body)
    yield _DONE


def _tool_calls(calls: CallTools, body: Body) -> Iterator[str]:
    """Names first, then the arguments in two pieces, as the real one does it."""
    yield _chunk(body, {"role": "assistant", "content": None})
    yield from _texts(calls.text, 12, body)
    for index, call in enumerate(calls.calls):
        half = len(call.arguments) // 2
        head = {"id": call.id or f"call_{len(body['messages'])}_{index}", "type": "function"}
        for piece in (
            {**head, "function": {"name": call.name, "arguments": ""}},
            {"function": {"arguments": call.arguments[:half]}},
            {"function": {"arguments": call.arguments[half:]}},
        ):
            yield _chunk(body, {"tool_calls": [{"index": index, **piece}]})
    yield _chunk(body, {}, finish_reason="tool_calls")
    yield _DONE


def _texts(text: str, size: int, body: Body) -> list[str]:
    pieces = [text[start : start + size] for start in range(0, len(text), size)]
    return [_chunk(body, {"content": piece}) for piece in pieces]


def _chunk(body: Body, delta: Mapping[str, object], finish_reason: str | None = None) -> str:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
    return _event(body, choices=[choice], usage=None)


def _usage(reply: Reply, body: Body) -> str:
    prompt = sum(len(str(message["content"]).split()) for message in body["messages"])
    answer = len(reply.text.split())
    usage = {
        "prompt_tokens": prompt,
        "completion_tokens": answer,
        "total_tokens": prompt + answer,
        "prompt_tokens_details": {
            "cached_tokens": reply.cached_tokens,
            "cache_write_tokens": reply.written_tokens,
        },
    }
    return _event(body, choices=[], usage=usage)


def _event(body: Body, **fields: object) -> str:
    event = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1}
    return json.dumps({**event, "model": body["model"], **fields}, ensure_ascii=False)
