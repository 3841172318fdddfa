"""Streams whose events are whole, and whose frame is not what one is used to."""

from __future__ import annotations

from tests.peers.dialects.build import (
    ANSWERED,
    CALLS,
    DONE,
    TEXT,
    answers,
    called,
    chunk,
    data,
    once,
    speech,
    stream,
)
from tests.peers.dialects.dialect import Dialect, Expected, Json, Play
from tests.peers.endpoint.behaviours import Exactly

_PING = ": ping - 2026-11-29 09:09:52.087033+00:00\r\n\r\n"
_CALL = (
    chunk({"role": "assistant", "tool_calls": [called(index=0, id="call_a")]}),
    chunk({}, "tool_calls"),
)


def _framed(*before: str) -> tuple[Play, ...]:
    """A call and an answer, with this before each of their events."""

    def pieces(events: tuple[Json | str, ...]) -> Exactly:
        return Exactly(pieces=tuple(piece for e in events for piece in (*before, data(e))))

    return (
        Play(answer=pieces((*_CALL, DONE))),
        Play(
            answer=pieces((*speech("It is noon", " in UTC."), DONE)),
            given_back=({"role": "tool"},),
        ),
    )


def _rewritten(old: str, new: str) -> tuple[Play, ...]:
    """A call and an answer, with something of their bytes replaced."""

    def pieces(answer: Exactly) -> Exactly:
        return Exactly(pieces=tuple(piece.replace(old, new) for piece in answer.pieces))

    return (
        Play(answer=pieces(stream(*_CALL, DONE))),
        Play(answer=pieces(ANSWERED), given_back=({"role": "tool"},)),
    )


_WHOLE: Json = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1790000000,
    "model": "m",
    "usage": {"prompt_tokens": 20, "completion_tokens": 8, "total_tokens": 28},
}


def _unstreamed(message: Json, finish_reason: str) -> Exactly:
    choice = {"index": 0, "message": message, "finish_reason": finish_reason}
    return Exactly(
        pieces=(data({**_WHOLE, "choices": [choice]}).removeprefix("data: ").strip(),),
        content_type="application/json",
    )


FRAMING = (
    Dialect(
        name="OpenRouter: comments while it waits",
        source="openrouter.ai/docs/api-reference/streaming",
        plays=_framed(": OPENROUTER PROCESSING\n\n"),
        expects=answers(),
    ),
    Dialect(
        name="DeepSeek: comments and empty lines while it waits",
        source="api-docs.deepseek.com/quick_start/rate_limit",
        plays=_framed(": keep-alive\n\n", "\n", "\n"),
        expects=answers(),
    ),
    Dialect(
        name="A gateway in between: comments that became data",
        source="openai-compatible vendors' `data: : keep-alive`, as public clients skip it",
        plays=_framed("data: : keep-alive\n\n"),
        expects=answers(),
    ),
    Dialect(
        name="llama-cpp-python: lines end in CR LF, pings between them",
        source="sse-starlette, which llama-cpp-python and others stream with",
        plays=(
            Play(
                answer=Exactly(
                    pieces=tuple(
                        piece
                        for e in (*_CALL, DONE)
                        for piece in (_PING, data(e).replace("\n", "\r\n"))
                    )
                )
            ),
            Play(
                answer=Exactly(
                    pieces=(_PING, *(each.replace("\n", "\r\n") for each in ANSWERED.pieces))
                ),
                given_back=({"role": "tool"},),
            ),
        ),
        expects=answers(),
    ),
    Dialect(
        name="A gateway: pings as events, with data",
        source="platform.claude.com/docs streaming: `event: ping`",
        plays=_framed('event: ping\ndata: {"type": "ping"}\n\n'),
        expects=answers(),
    ),
    Dialect(
        name="A gateway: pings as events, without data",
        source="issue 10: blocks without data are nothing",
        plays=_framed("event: ping\n\n"),
        expects=answers(),
    ),
    Dialect(
        name="A gateway: blocks with an empty line of data",
        source="issue 10: blocks without data are nothing",
        plays=_framed("data:\n\n", "data: \n\n"),
        expects=answers(),
    ),
    Dialect(
        name="No space after data:",
        source="aaif-goose/goose#6169, aaif-goose/goose#7928",
        plays=_rewritten("data: ", "data:"),
        expects=answers(),
    ),
    Dialect(
        name="Several events in one piece, and one event in several",
        source="any proxy that buffers",
        plays=(
            Play(answer=Exactly(pieces=("".join(stream(*_CALL, DONE).pieces),))),
            Play(
                answer=Exactly(pieces=tuple("".join(ANSWERED.pieces))),
                given_back=({"role": "tool"},),
            ),
        ),
        expects=answers(),
    ),
    Dialect(
        name="The last event has no empty line after it",
        source="issue 10: streams of every shape",
        plays=(
            Play(answer=stream(*_CALL, DONE)),
            Play(
                answer=Exactly(pieces=(*map(data, speech(TEXT)[:-1]), data(speech()[-1]).strip())),
                given_back=({"role": "tool"},),
            ),
        ),
        expects=answers(),
    ),
    Dialect(
        name="SGLang: finish_reason is empty throughout, then [DONE]",
        source="sgl-project/sglang#3912",
        plays=once(
            chunk({"role": "assistant", "content": ""}, ""),
            chunk({"content": "It is noon"}, ""),
            chunk({"content": " in UTC."}, ""),
            DONE,
        ),
        expects=Expected(text=TEXT),
    ),
    Dialect(
        name="llama-cpp-python: a call without any finish_reason, then [DONE]",
        source="abetlen/llama-cpp-python#735",
        plays=(
            Play(answer=stream(_CALL[0], DONE)),
            Play(
                answer=stream(*speech(TEXT)[:-1], DONE),
                given_back=({"role": "tool"},),
            ),
        ),
        expects=answers(),
    ),
    Dialect(
        name="A chunk with the usage is the end, without finish_reason and [DONE]",
        source="issue 10: `[DONE]` or a usage chunk after text is an end",
        plays=once(
            *speech(TEXT)[:-1],
            {
                **chunk({}),
                "choices": [],
                "usage": {"prompt_tokens": 20, "completion_tokens": 8, "total_tokens": 28},
            },
        ),
        expects=Expected(text=TEXT, usage=(20, 0, 8)),
    ),
    Dialect(
        name="Finished, but without [DONE]",
        source="reference/llm.md: endpoints that send no [DONE]",
        plays=(
            Play(answer=stream(*_CALL)),
            Play(answer=stream(*speech(TEXT)), given_back=({"role": "tool"},)),
        ),
        expects=answers(),
    ),
    Dialect(
        name="Gemini, Ollama: tools called, and finish_reason says stop",
        source="googleapis/python-genai#2868, ollama/ollama#7963",
        plays=(
            Play(answer=stream(_CALL[0], chunk({}, "stop"), DONE)),
            Play(answer=ANSWERED, given_back=({"role": "tool"},)),
        ),
        expects=answers(),
    ),
    Dialect(
        name="A whole completion in JSON, although a stream was asked for",
        source="issue 10: non-streamed JSON",
        plays=(
            Play(
                answer=_unstreamed(
                    {
                        "role": "assistant",
                        "content": None,
                        "tool_calls": [called(id="call_a")],
                    },
                    "tool_calls",
                )
            ),
            Play(
                answer=_unstreamed({"role": "assistant", "content": TEXT}, "stop"),
                given_back=({"role": "tool", "tool_call_id": "call_a"},),
            ),
        ),
        expects=answers(calls=CALLS, usage=(20, 0, 8)),
    ),
    Dialect(
        name="A stream that says it is plain text",
        source="issue 10: wrong content type",
        plays=(
            Play(answer=Exactly(pieces=stream(*_CALL, DONE).pieces, content_type="text/plain")),
            Play(
                answer=Exactly(pieces=ANSWERED.pieces, content_type="application/octet-stream"),
                given_back=({"role": "tool"},),
            ),
        ),
        expects=answers(),
    ),
)
