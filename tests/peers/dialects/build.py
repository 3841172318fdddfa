"""Builds the answers of dialects: chunks, events, whole streams, errors."""

from __future__ import annotations

import json
from collections.abc import Mapping

from tests.peers.dialects.dialect import Expected, Json, Outcome, Play
from tests.peers.endpoint.behaviours import Exactly

TEXT = "It is noon in UTC."
ARGUMENTS: Json = {"timezone": "UTC"}
AS_TEXT = json.dumps(ARGUMENTS)
CALLS = (("clock", ARGUMENTS),)
DONE = "[DONE]"


def chunk(delta: Json, finish_reason: str | None = None, **more: object) -> Json:
    """One chunk of Chat Completions."""
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1790000000,
        "model": "m",
        "choices": [choice],
        **more,
    }


def usage(given: Json, **more: object) -> Json:
    """The chunk that only counts tokens."""
    return {**chunk({}), "choices": [], "usage": given, **more}


def called(
    arguments: object = AS_TEXT, *, name: str | None = "clock", **more: object
) -> Mapping[str, object]:
    """One call as an element of `tool_calls`; `more` are index, id and whatever else."""
    return {"type": "function", **more, "function": {"name": name, "arguments": arguments}}


def data(event: Json | str) -> str:
    """An event with its data only."""
    return f"data: {event if isinstance(event, str) else json.dumps(event)}\n\n"


def stream(*events: Json | str) -> Exactly:
    """A stream of Chat Completions; the caller says whether it ends in [DONE]."""
    return Exactly(pieces=tuple(map(data, events)))


def speech(*texts: str) -> tuple[Json, ...]:
    """Chunks of text as most have them, with their end."""
    return (
        chunk({"role": "assistant", "content": ""}),
        *(chunk({"content": text}) for text in texts),
        chunk({}, "stop"),
    )


ANSWERED = stream(*speech("It is noon", " in UTC."), DONE)


def turn(*first: Json | str, given_back: tuple[Json, ...] = ()) -> tuple[Play, ...]:
    """A call of the clock, and when its result is there, the answer."""
    return (
        Play(answer=stream(*first)),
        Play(answer=ANSWERED, given_back=({"role": "tool"}, *given_back)),
    )


def once(*events: Json | str) -> tuple[Play, ...]:
    """One answer, to whatever is asked."""
    return (Play(answer=stream(*events)),)


def failure(status: int, body: object, content_type: str = "application/json") -> Exactly:
    """An error in JSON."""
    text = body if isinstance(body, str) else json.dumps(body)
    return Exactly(pieces=(text,), status=status, content_type=content_type)


def openai_failure(
    message: str, *, status: int = 400, param: str | None = None, code: str | None = None
) -> Exactly:
    """An error as OpenAI words its body."""
    error = {"message": message, "type": "invalid_request_error", "param": param, "code": code}
    return failure(status, {"error": error})


def answers(**more: object) -> Expected:
    """The usual: the clock is called, and the answer is told."""
    fields = {"text": TEXT, "calls": CALLS, **more}
    return Expected(**fields)  # type: ignore[arg-type]  # the fields are checked at run time


def ends(outcome: Outcome, text: str = "") -> Expected:
    """It ends so, without a tool having been called."""
    return Expected(outcome=outcome, text=text)


def event(name: str, number: int, **fields: object) -> str:
    """One event of Responses, as it is written."""
    body = json.dumps({"type": name, "sequence_number": number, **fields})
    return f"event: {name}\ndata: {body}\n\n"
