"""Whatever an endpoint writes: nothing but our own errors comes out, and what comes can be kept."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import asdict

import httpx2
import openai
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai import AsyncOpenAI, DefaultAsyncHttpxClient

from core.errors import ModelDown, ModelRefused
from core.llm import Api, Finished, ModelEvent, Retracted, TextDelta
from core.llm.capabilities import Capabilities
from core.llm.chat import Chat
from core.llm.complaint import Complaint, of_error, of_event
from core.llm.endpoint import EndpointModel
from core.llm.events import Event, Malformed, events
from core.llm.failures import Target, translated
from core.llm.responses import Responses
from core.llm.time_limits import Limits
from core.llm.untrusted import mapping_of
from core.llm.wire import Wire
from core.turn.journal import Journal, ModelStep
from storage.models import Step, StepKind
from tests.core.llm.asking import client_of, events_of, request
from tests.core.llm.chunks import KEYS, OF_CHAT, OF_RESPONSES, WORDS
from tests.peers.endpoint import Endpoint, Exactly, Raw

WIRES: dict[Api, Wire] = {Api.CHAT: Chat(), Api.RESPONSES: Responses()}
REAL = {Api.CHAT: OF_CHAT, Api.RESPONSES: OF_RESPONSES}
APIS = pytest.mark.parametrize("api", WIRES)

TEXTS = st.text(st.characters(codec=None), max_size=8) | st.sampled_from(WORDS)
MOST = 2**63 / 1e6  # tokens, of which one costs a thousandth of a dollar, in a column
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | TEXTS
JSON = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(KEYS) | TEXTS, inner, max_size=4)
    ),
    max_leaves=12,
)
OBJECTS = st.dictionaries(st.sampled_from(KEYS) | TEXTS, JSON, max_size=5)


@st.composite
def mutated(draw: st.DrawFn, real: Sequence[Mapping[str, object]]) -> list[Mapping[str, object]]:
    """A stream as it really comes, with something else in some places, and some of it left out."""
    chosen = draw(st.lists(st.sampled_from(real), min_size=1, max_size=6))
    return [mapping_of(_altered(draw, each)) for each in chosen]


def _altered(draw: st.DrawFn, value: object) -> object:
    match draw(st.integers(0, 11)):
        case 0:
            return draw(JSON) if not isinstance(value, dict) else {**value, **draw(OBJECTS)}
        case 1 if isinstance(value, list):
            return [*value, *value]
        case 2 if isinstance(value, dict) and value:
            return {
                key: each for key, each in value.items() if key != draw(st.sampled_from([*value]))
            }
        case _:
            pass
    if isinstance(value, dict):
        return {key: _altered(draw, each) for key, each in value.items()}
    return [_altered(draw, each) for each in value] if isinstance(value, list) else value


def answered(wire: Wire, chunks: Iterable[Mapping[str, object]]) -> list[ModelEvent]:
    """What the chunks give, as far as they are no complaint."""
    answer = wire.answer(thinks_first=False)
    shown: list[ModelEvent] = []
    for data in chunks:
        event = Event("message", dict(data))
        if of_event(event):
            break
        shown += answer.add(event)
    shown += answer.finish()
    return [*shown, answer.finished("m")]


def check(events: Iterable[ModelEvent]) -> None:
    """Pieces and the whole are one text, and both APIs take back what the journal has kept."""
    text = ""
    for event in events:
        match event:
            case TextDelta():
                assert event.text
                text += event.text
            case Retracted():
                text = ""
            case Finished():
                assert event.text == text
                _check_kept(event)
            case _:
                pass


def _check_kept(finished: Finished) -> None:
    step = ModelStep.of(finished)
    kept = json.dumps(asdict(step), ensure_ascii=False, allow_nan=False)
    kept.encode()
    assert "\\u0000" not in kept.replace("\\\\", "")
    content = json.loads(kept)
    journal = Journal([Step(turn_id=1, number=1, kind=StepKind.MODEL, content=content)])
    assert journal.last_answer == step
    usage = finished.usage
    assert all(0 <= count <= MOST for count in (usage.input, usage.cached, usage.output))
    ids = [call.id for call in finished.tool_calls]
    assert all(ids)
    assert len(set(ids)) == len(ids)
    assert all(call.name for call in finished.tool_calls)
    asked = request("And?")
    for wire in WIRES.values():
        for message in journal.as_prompt():
            wire.body("m", type(asked)(messages=(*asked.messages, message)))


@APIS
@given(data=st.data())
def test_any_objects_are_an_answer_or_a_complaint(api: Api, data: st.DataObject) -> None:
    check(answered(WIRES[api], data.draw(st.lists(OBJECTS, max_size=5))))


@APIS
@given(data=st.data())
def test_real_chunks_with_anything_in_their_fields_are_an_answer(
    api: Api, data: st.DataObject
) -> None:
    check(answered(WIRES[api], data.draw(mutated(REAL[api]))))


@APIS
def test_real_chunks_are_an_answer_with_its_calls(api: Api) -> None:
    last = answered(WIRES[api], REAL[api])[-1]
    assert isinstance(last, Finished)
    assert (last.text, [call.name for call in last.tool_calls]) == ("Hello", ["clock"])
    assert last.native is not None


@APIS
@pytest.mark.parametrize("depth", [50, 300, 900])
def test_what_is_nested_deeply_can_be_kept_or_is_no_event(api: Api, depth: int) -> None:
    deep = '{"a":' * depth + "1" + "}" * depth
    body = json.dumps(REAL[api][1]).replace('"DEEP"', deep)
    assert deep in body

    async def parsed() -> list[Event]:
        response = httpx2.Response(200, content=body.encode())
        parsed_so_far: list[Event] = []
        async for together in events(response):
            parsed_so_far += together
        return parsed_so_far

    try:
        [event] = asyncio.run(parsed())
    except Malformed:
        return
    check(answered(WIRES[api], [event.data]))


COMPLAINTS = OBJECTS | st.builds(lambda each: {"error": each}, JSON) | JSON


@given(body=COMPLAINTS, status=st.sampled_from([400, 401, 404, 405, 413, 422, 429, 500, 503]))
def test_any_error_body_says_something_and_teaches_at_most_once(body: object, status: int) -> None:
    http = httpx2.Request("POST", "http://m/v1/responses")
    response = httpx2.Response(status, content=json.dumps(body).encode(), request=http)
    check_complaint(of_error(openai.APIStatusError("no", response=response, body=body)))


@given(data=OBJECTS, name=st.sampled_from(["error", "message", "response.failed"]))
def test_any_event_may_be_a_complaint(data: dict[str, object], name: str) -> None:
    if complaint := of_event(Event(name, data)):
        check_complaint(complaint)


def check_complaint(complaint: Complaint) -> None:
    """It means something, and the same thing is not learnt for ever."""
    failure = translated(complaint, Target(model="m", host="h", key_variable="K"))
    assert str(failure).endswith(".")
    assert complaint.limit is None or complaint.limit > 0
    asked = request("Hello")
    learnt = Capabilities()
    for _ in range(30):
        api = learnt.api or Api.CHAT
        adapted = learnt.adapted(asked, "")
        body = WIRES[api].body("m", adapted)
        if not learnt.from_refusal(complaint, body, api, may_switch=True):
            return
    raise AssertionError(f"learns for ever: {learnt}")


@given(body=st.lists(st.binary(max_size=40) | st.sampled_from([b"data: ", b"\n\n", b"{", b"}"])))
def test_any_bytes_are_events_or_malformed(body: list[bytes]) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for piece in body:
            yield piece

    async def parsed() -> list[Event]:
        response = httpx2.Response(
            200, content=pieces(), request=httpx2.Request("POST", "http://m")
        )
        parsed_so_far: list[Event] = []
        async for together in events(response):
            parsed_so_far += together
        return parsed_so_far

    try:
        found = asyncio.run(parsed())
    except (Malformed, httpx2.HTTPError):
        return
    assert all(isinstance(event.data, dict) for event in found)


async def outcome(endpoint: Endpoint, api: Api) -> list[ModelEvent]:
    """What the model gives; nothing where it fails in our own words."""
    async with client_of(endpoint.base_url) as client:
        model = EndpointModel(client, "m", api=api, limits=Limits(whole=30, wait=20))
        try:
            return await events_of(model, request("Hello"))
        except (ModelDown, ModelRefused):
            return []


@APIS
@settings(max_examples=20)
@given(data=st.data())
def test_over_http_any_events_are_an_answer_or_our_own_error(api: Api, data: st.DataObject) -> None:
    chunks = data.draw(mutated(REAL[api]))

    async def ask() -> None:
        async with Endpoint() as endpoint:
            endpoint.script(*[Raw(events=tuple(json.dumps(each) for each in chunks))] * 2)
            check(await outcome(endpoint, api))

    asyncio.run(ask())


@APIS
@settings(max_examples=15)
@given(
    text=st.text(st.characters(codec="utf-8"), max_size=60) | OBJECTS.map(json.dumps),
    status=st.sampled_from([200, 204, 302, 400, 404, 413, 422, 500]),
    kind=st.sampled_from(["text/event-stream", "application/json", "text/html; charset=utf-7", ""]),
)
def test_over_http_any_body_is_an_answer_or_our_own_error(
    api: Api, text: str, status: int, kind: str
) -> None:
    async def ask() -> None:
        async with Endpoint() as endpoint:
            endpoint.script(*[Exactly(pieces=(text,), status=status, content_type=kind)] * 9)
            check(await outcome(endpoint, api))

    asyncio.run(ask())


BROKEN = [
    b"HTTP/1.1 503 No\r\nContent-Length: 99\r\n\r\nhalf",
    b"HTTP/1.1 400 No\r\nContent-Length: 99\r\n\r\n{",
    b"HTTP/1.1 400 No\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnone",
    b"HTTP/1.1 400 No\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnone",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
    b"HTTP/1.1 307 Go\r\nLocation: /v1/chat/completions\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 307 Go\r\nLocation: http://[::\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 429 No\r\nRetry-After: nan\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 400 No\r\nContent-Length: 2701\r\n\r\n" + b'{"a":' * 450 + b"1" + b"}" * 450,
    b"SSH-2.0-OpenSSH_9.6\r\n",
    b"",
]


@pytest.mark.parametrize("written", BROKEN, ids=repr)
async def test_any_broken_http_is_our_own_error(written: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(65_536)
        writer.write(written)
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        http = DefaultAsyncHttpxClient(timeout=5)
        async with AsyncOpenAI(
            base_url=f"http://127.0.0.1:{port}/v1", api_key="sk", max_retries=0, http_client=http
        ) as client:
            model = EndpointModel(client, "m", limits=Limits(whole=30, wait=20))
            with pytest.raises((ModelDown, ModelRefused)):
                await events_of(model, request("Hello"))
