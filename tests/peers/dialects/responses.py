"""Responses, as others than OpenAI stream them, and what OpenAI's rarely do."""

from __future__ import annotations

import json

from tests.peers.dialects.build import (
    AS_TEXT,
    CALLS,
    TEXT,
    answers,
    ends,
    event,
    openai_failure,
)
from tests.peers.dialects.dialect import Ask, Dialect, Expected, Json, Objection, Outcome, Play
from tests.peers.endpoint.behaviours import Exactly

_USAGE: Json = {
    "input_tokens": 500,
    "input_tokens_details": {"cached_tokens": 256, "cache_write_tokens": 0},
    "output_tokens": 20,
    "output_tokens_details": {"reasoning_tokens": 8},
    "total_tokens": 520,
}
_REASONING: Json = {
    "id": "rs_1",
    "type": "reasoning",
    "summary": [],
    "encrypted_content": "gAAAAABqs53qZCG4G16PIVUyjAw4uhCvLhzY3YLbLv6XB",
}
_CALL: Json = {
    "id": "fc_1",
    "type": "function_call",
    "call_id": "call_1",
    "name": "clock",
    "arguments": AS_TEXT,
    "status": "completed",
}
_RESULT: Json = {"type": "function_call_output", "call_id": "call_1"}
_OVERFLOW = (
    "Your input exceeds the context window of this model. Please adjust your input and try again."
)
_TOO_LONG = 2000


def _message(text: str) -> Json:
    part = {"type": "output_text", "annotations": [], "logprobs": [], "text": text}
    item = {"id": "msg_1", "type": "message", "status": "completed", "role": "assistant"}
    return {**item, "content": [part]}


def _response(status: str, *output: Json, **fields: object) -> Json:
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1790000000,
        "status": status,
        "model": "m",
        "output": list(output),
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        **fields,
    }


def _ended(status: str, *output: Json, **fields: object) -> str:
    response = _response(status, *output, usage=_USAGE, **fields)
    return event(f"response.{status}", 99, response=response)


_CREATED = event("response.created", 0, response=_response("in_progress"))


def _items(*items: Json) -> Exactly:
    """Each item added and done, text and arguments as deltas between, and the end."""
    pieces = [_CREATED]
    for index, item in enumerate(items):
        at = {"output_index": index, "item_id": item["id"]}
        pieces.append(event("response.output_item.added", 1, output_index=index, item=item))
        if item["type"] == "message":
            text = str(item["content"][0]["text"])  # type: ignore[index]  # built above
            at = {**at, "content_index": 0}
            pieces.append(event("response.output_text.delta", 2, delta=text, logprobs=[], **at))
        elif item["type"] == "function_call":
            delta = item["arguments"]
            pieces.append(event("response.function_call_arguments.delta", 2, delta=delta, **at))
        pieces.append(event("response.output_item.done", 3, output_index=index, item=item))
    return Exactly(pieces=(*pieces, _ended("completed", *items)))


def _spoken(text: str) -> tuple[str, ...]:
    """A beginning and its text, without an end."""
    at = {"output_index": 0, "item_id": "msg_1", "content_index": 0}
    return (
        _CREATED,
        event("response.output_text.delta", 1, delta=text, logprobs=[], **at),
    )


def _turn(*first: Json, given_back: tuple[Json, ...]) -> tuple[Play, ...]:
    return (
        Play(answer=_items(*first)),
        Play(answer=_items(_message(TEXT)), given_back=(*given_back, _RESULT)),
    )


def _rewritten(plays: tuple[Play, ...], old: str, new: str) -> tuple[Play, ...]:
    return tuple(
        Play(
            answer=Exactly(pieces=tuple(each.replace(old, new) for each in play.answer.pieces)),
            given_back=play.given_back,
        )
        for play in plays
    )


_PLAIN = _turn(_CALL, given_back=({"type": "function_call", "call_id": "call_1"},))
_THOUGHT: Json = {
    "id": "rs_2",
    "type": "reasoning",
    "summary": [],
    "content": [{"type": "reasoning_text", "text": "They want the time."}],
}


def _ends(name: str, source: str, outcome: Outcome, text: str, *pieces: str) -> Dialect:
    return Dialect(
        name=name,
        source=source,
        api="responses",
        plays=(Play(answer=Exactly(pieces=pieces)),),
        expects=ends(outcome, text),
    )


RESPONSES = (
    Dialect(
        name="OpenAI: an encrypted reasoning item comes back with the call",
        source="openai/openai-python, ResponseReasoningItem; langchain-ai/langchain#38372",
        api="responses",
        plays=_turn(_REASONING, _CALL, given_back=(_REASONING, _CALL)),
        lacking=openai_failure(
            "Item 'fc_1' of type 'function_call' was provided without its required 'reasoning' "
            "item: 'rs_1'.",
            param="input",
        ),
        expects=answers(usage=(500, 256, 20)),
    ),
    Dialect(
        name="OpenAI: the phase of a message comes back with it",
        source="openai/openai-python, ResponseOutputMessage.phase",
        api="responses",
        plays=_turn(
            {**_message("One moment."), "phase": "commentary"},
            _CALL,
            given_back=(
                {"type": "message", "phase": "commentary"},
                {"type": "function_call", "call_id": "call_1"},
            ),
        ),
        expects=answers(),
    ),
    Dialect(
        name="DeepSeek: readable reasoning comes back with the call",
        source="rikkahub/rikkahub#1690, aaif-goose/goose#11297",
        api="responses",
        plays=_turn(
            _THOUGHT, _CALL, given_back=(_THOUGHT, {"type": "function_call", "call_id": "call_1"})
        ),
        lacking=openai_failure(
            "The `reasoning_text` in the thinking mode must be passed back to the API."
        ),
        expects=answers(),
    ),
    Dialect(
        name="Alibaba: every event has an id and a comment before it",
        source="aaif-goose/goose#11297",
        api="responses",
        plays=_rewritten(_PLAIN, "event: ", "id:1\n:HTTP_STATUS/200\nevent: "),
        expects=answers(),
    ),
    Dialect(
        name="OpenRouter: [DONE] at the end, comments before",
        source="openrouter.ai/docs/api-reference/streaming; reference/llm.md",
        api="responses",
        plays=tuple(
            Play(
                answer=Exactly(
                    pieces=(
                        ": OPENROUTER PROCESSING\n\n",
                        *play.answer.pieces,
                        "data: [DONE]\n\n",
                    )
                ),
                given_back=play.given_back,
            )
            for play in _PLAIN
        ),
        expects=answers(),
    ),
    Dialect(
        name="No lines that name the event",
        source="the data has its type, too",
        api="responses",
        plays=tuple(
            Play(
                answer=Exactly(
                    pieces=tuple("data:" + each.split("data:", 1)[1] for each in play.answer.pieces)
                ),
                given_back=play.given_back,
            )
            for play in _PLAIN
        ),
        expects=answers(),
    ),
    Dialect(
        name="Only the end has the items",
        source="openai/openai-python: response.completed",
        api="responses",
        plays=tuple(
            Play(
                answer=Exactly(pieces=play.answer.pieces[-1:]),
                given_back=play.given_back,
            )
            for play in _PLAIN
        ),
        expects=answers(),
    ),
    Dialect(
        name="OpenAI: a model that is not on Chat Completions, a 404",
        source="goose 5270; OpenAI's wording for gpt-5-pro and codex models",
        api="responses",
        plays=_PLAIN,
        elsewhere=openai_failure(
            "This model is only supported in v1/responses and not in v1/chat/completions.",
            status=404,
            param="model",
        ),
        expects=answers(),
    ),
    Dialect(
        name="OpenAI: a model without reasoning refuses the encrypted content",
        source="public clients of gpt-4.1 on Responses: param include",
        api="responses",
        plays=_PLAIN,
        objections=(
            Objection(
                answer=openai_failure(
                    "Encrypted content is not supported with this model.", param="include"
                ),
                parameter="include",
            ),
        ),
        expects=Expected(text=TEXT, calls=CALLS, without=("include",)),
    ),
    Dialect(
        name="OpenAI: no temperature on Responses",
        source="BerriAI/litellm#39631",
        api="responses",
        plays=_PLAIN,
        ask=Ask(temperature=0.2),
        objections=(
            Objection(
                answer=openai_failure(
                    "Unsupported parameter: 'temperature' is not supported with this model.",
                    param="temperature",
                    code="unsupported_parameter",
                ),
                parameter="temperature",
            ),
        ),
        expects=Expected(text=TEXT, calls=CALLS, without=("temperature",)),
    ),
    Dialect(
        name="xAI: no reasoning effort on Responses",
        source="public clients' tests of api.x.ai",
        api="responses",
        plays=_PLAIN,
        ask=Ask(effort="low"),
        objections=(
            Objection(
                answer=openai_failure("Model grok-4.3 does not support parameter reasoning.effort"),
                parameter="reasoning.effort",
            ),
        ),
        expects=Expected(text=TEXT, calls=CALLS, without=("reasoning.effort",)),
    ),
    Dialect(
        name="OpenAI: overflow as response.failed",
        source="openai/codex, tests of context overflow",
        api="responses",
        plays=_PLAIN,
        ask=Ask(characters=_TOO_LONG + 1),
        objections=(
            Objection(
                answer=Exactly(
                    pieces=(
                        _ended(
                            "failed",
                            error={"code": "context_length_exceeded", "message": _OVERFLOW},
                        ),
                    )
                ),
                longer_than=_TOO_LONG,
            ),
        ),
        expects=Expected(outcome=Outcome.OVERFLOW),
    ),
    _ends(
        "OpenAI: incomplete at the limit of its length",
        "openai/openai-python: incomplete_details",
        Outcome.CUT,
        "It is",
        *_spoken("It is"),
        _ended("incomplete", _message("It is"), incomplete_details={"reason": "max_output_tokens"}),
    ),
    _ends(
        "OpenAI: incomplete by the content filter",
        "openai/openai-python: incomplete_details",
        Outcome.FILTERED,
        "It is",
        *_spoken("It is"),
        _ended("incomplete", _message("It is"), incomplete_details={"reason": "content_filter"}),
    ),
    _ends(
        "OpenAI: failed in the middle",
        "openai/openai-python: response.failed",
        Outcome.DOWN,
        "",
        *_spoken("It is"),
        _ended("failed", error={"code": "server_error", "message": "Sorry about that."}),
    ),
    _ends(
        "OpenAI: an error event, its fields at the top",
        "openai/openai-python: ResponseErrorEvent",
        Outcome.DOWN,
        "",
        *_spoken("It is"),
        event("error", 2, code="server_error", message="Sorry about that.", param=None),
    ),
    _ends(
        "A gateway: an error event, its fields in an object",
        "openai/openai-python: streams raise on data.error",
        Outcome.DOWN,
        "",
        *_spoken("It is"),
        "event: error\ndata: " + json.dumps({"error": {"message": "upstream gone"}}) + "\n\n",
    ),
    _ends(
        "A clean end before response.completed",
        "reference/llm.md: stream ends early, clean",
        Outcome.DOWN,
        "",
        *_spoken("It is"),
    ),
)
