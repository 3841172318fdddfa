"""The dialects of endpoints: that their data is whole, and that they are played as they say."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterable
from typing import cast

import aiohttp
import pytest
from openai import AsyncOpenAI

from tests.core.llm.asking import client_of
from tests.peers.dialects import DIALECTS, Dialect, Objection, Outcome
from tests.peers.endpoint import Body, Endpoint, Exactly
from tests.peers_tests.responding import end_of, respond

USER = {"role": "user", "content": "What time is it?"}
CHAT = [dialect for dialect in DIALECTS if dialect.api == "chat"]
WITH_TOOLS = [dialect for dialect in DIALECTS if dialect.plays[-1].given_back]
# What the parts that are to be given back may leave out.
REST = {
    "message": {"role": "assistant", "content": ""},
    "function_call": {"name": "clock", "arguments": "{}"},
    "function_call_output": {"output": "noon"},
}


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    async with Endpoint() as endpoint:
        yield endpoint


@pytest.fixture
async def client(endpoint: Endpoint) -> AsyncIterator[AsyncOpenAI]:
    async with client_of(endpoint.base_url) as client:
        yield client


def named(name: str) -> Dialect:
    (dialect,) = [each for each in DIALECTS if each.name.startswith(name)]
    return dialect


def request_of(dialect: Dialect, *pieces: object, **more: object) -> Body:
    """A question, and these messages or items after it."""
    question = {"type": "message", **USER} if dialect.api == "responses" else USER
    field = "input" if dialect.api == "responses" else "messages"
    return cast("Body", {"model": "m", "stream": True, field: [question, *pieces], **more})


def objectionable(dialect: Dialect, objection: Objection) -> Body:
    """A request that has what is objected to."""
    if objection.parameter:
        name, _, inner = objection.parameter.partition(".")
        return request_of(dialect, **{name: {inner: "low"} if inner else "low"})
    return request_of(
        dialect,
        {"type": "message", **USER, "content": "!" * ((objection.longer_than or 0) + 1)},
        {"type": "message", "role": objection.role or "user", "content": "Be brief."},
    )


def given_back(dialect: Dialect) -> list[dict[str, object]]:
    """What the last play waits for, made whole."""
    parts = [dict(part) for part in dialect.plays[-1].given_back]
    kinds = [str(part.get("type") or ("call_id" in part and "function_call")) for part in parts]
    return [
        {"type": kind, **REST.get(kind, {}), "content": "", **part}
        for kind, part in zip(kinds, parts, strict=True)
    ]


def written(answer: Exactly) -> str:
    return "".join(answer.pieces)


async def asked(endpoint: Endpoint, path: str, body: Body) -> tuple[int, str, str]:
    async with (
        aiohttp.ClientSession() as http,
        http.post(f"{endpoint.base_url}{path}", json=body) as response,
    ):
        return response.status, response.content_type, await response.text()


def test_each_has_a_name_of_its_own_and_a_source() -> None:
    names = [dialect.name for dialect in DIALECTS]
    assert len(set(names)) == len(names)
    assert all(dialect.source for dialect in DIALECTS)


def all_but(dialects: Iterable[Dialect], check: Callable[[Dialect], bool]) -> list[str]:
    """The names of those that fail; a test for each would take longer than its check."""
    return [dialect.name for dialect in dialects if not check(dialect)]


def test_what_each_expects_fits_what_it_plays() -> None:
    def fits(dialect: Dialect) -> bool:
        expects = dialect.expects
        first, last = written(dialect.plays[0].answer), written(dialect.plays[-1].answer)
        return (
            (bool(expects.text) or expects.outcome not in {"answers", "cut", "refusal"})
            and all(name in first for name, _ in expects.calls)
            and bool(expects.calls) <= (len(dialect.plays) == 2)
            and all(str(count) in last for count in expects.usage or ())
        )

    assert all_but(DIALECTS, fits) == []


def test_errors_and_events_are_json() -> None:
    def are_json(dialect: Dialect) -> bool:
        plays = [play.answer for play in dialect.plays]
        objections = [objection.answer for objection in dialect.objections]
        answers = (*plays, *objections, dialect.lacking, dialect.elsewhere)
        return all(is_json(text) for answer in answers for text in data_of(answer))

    assert all_but(DIALECTS, are_json) == []


def data_of(answer: Exactly) -> list[str]:
    """An error, or what events carry."""
    if answer.content_type == "application/json":
        return [written(answer)]
    lines = written(answer).splitlines()
    data = [line[5:].strip() for line in lines if line.startswith("data:")]
    return [text for text in data if text not in {"", "[DONE]", ": keep-alive"}]


def is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def test_each_starts_with_its_first_play() -> None:
    def starts(dialect: Dialect) -> bool:
        again = request_of(dialect, {"role": "assistant", "content": "Hi"})
        first = dialect.plays[0].answer
        return dialect.answer(request_of(dialect)) == first and dialect.answer(again) is first

    assert all_but(DIALECTS, starts) == []


def test_what_is_objected_to_is_refused() -> None:
    def refuse(dialect: Dialect) -> bool:
        first = dialect.objections[0]
        return dialect.answer(objectionable(dialect, first)) == first.answer and all(
            each.applies(objectionable(dialect, each)) and not each.applies(request_of(dialect))
            for each in dialect.objections
        )

    assert all_but([each for each in DIALECTS if each.objections], refuse) == []


def test_what_was_given_has_to_come_back() -> None:
    def want_it_back(dialect: Dialect) -> bool:
        parts = given_back(dialect)
        result = next(each for each in parts if "tool" in each.values() or "output" in each)
        others = [each for each in parts if each is not result]
        less = [[each for each in parts if each is not lost] for lost in others]
        return dialect.answer(request_of(dialect, *parts)) == dialect.plays[-1].answer and all(
            dialect.answer(request_of(dialect, *rest)) == dialect.lacking for rest in less
        )

    assert all_but(WITH_TOOLS, want_it_back) == []


@pytest.mark.parametrize("name", ["OpenAI: names first", "DeepSeek: an error that calls", "xAI"])
async def test_the_endpoint_writes_exactly_what_a_dialect_says(
    endpoint: Endpoint, name: str
) -> None:
    dialect = next(each for each in CHAT if each.name.startswith(name))
    endpoint.play(dialect)
    answer = dialect.plays[0].answer
    status, content_type, text = await asked(endpoint, "/chat/completions", request_of(dialect))
    assert (status, content_type, text) == (answer.status, answer.content_type, written(answer))


async def test_the_other_api_is_not_there(endpoint: Endpoint) -> None:
    dialect = named("OpenAI: a model that is not on Chat Completions")
    endpoint.play(dialect)
    status, _, text = await asked(endpoint, "/chat/completions", {**request_of(CHAT[0])})
    assert (status, "only supported in v1/responses" in text) == (404, True)
    endpoint.play(CHAT[0])
    status, _, _ = await asked(endpoint, "/responses", request_of(dialect))
    assert status == 404


async def test_results_without_their_call_are_refused_in_every_dialect(
    endpoint: Endpoint,
) -> None:
    endpoint.play(CHAT[0])
    orphan = {"role": "tool", "tool_call_id": "call_1", "content": "noon"}
    status, _, text = await asked(endpoint, "/chat/completions", request_of(CHAT[0], orphan))
    assert (status, "preceeding message" in text) == (400, True)


async def test_the_sdk_reads_what_openai_is_said_to_write(
    endpoint: Endpoint, client: AsyncOpenAI
) -> None:
    endpoint.play(named("OpenAI: an encrypted reasoning item"))
    output = end_of(await respond(client, thinking=True)).output
    assert [item.type for item in output] == ["reasoning", "function_call"]


def test_every_outcome_is_there() -> None:
    assert {dialect.expects.outcome for dialect in DIALECTS} == set(Outcome)
