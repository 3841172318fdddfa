"""The model endpoint of the tests: what the real SDK reads from it, on both APIs."""

from __future__ import annotations

import json
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import aiohttp
import openai
import pytest
from openai import AsyncOpenAI

from tests.core.llm.asking import client_of
from tests.forked import module
from tests.peers.endpoint import (
    Behaviour,
    CallTool,
    CallTools,
    Disconnect,
    Endpoint,
    Exactly,
    Fail,
    FailLate,
    Malformed,
    Raw,
    Refuse,
    Reply,
    Truncate,
)
from tests.peers_tests.responding import end_of, respond

if TYPE_CHECKING:
    from openai.types.chat import ChatCompletionChunk
    from openai.types.responses import ResponseStreamEvent


@asynccontextmanager
async def endpoint_process(*options: str) -> AsyncIterator[str]:
    process = await module("tests.peers.endpoint", *options)
    yield (await process.stdout.readline()).decode().strip()
    process.send_signal(signal.SIGTERM)
    assert await process.wait() == 0


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    async with Endpoint() as endpoint:
        yield endpoint


@pytest.fixture
async def client(endpoint: Endpoint) -> AsyncIterator[AsyncOpenAI]:
    async with client_of(endpoint.base_url) as client:
        yield client


async def complete(client: AsyncOpenAI, *texts: str) -> list[ChatCompletionChunk]:
    stream = await client.chat.completions.create(
        model="gpt-4o", messages=[{"role": "user", "content": text} for text in texts], stream=True
    )
    return [chunk async for chunk in stream]


def text_of(chunks: list[ChatCompletionChunk]) -> str:
    return "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)


def types_of(events: list[ResponseStreamEvent]) -> list[str]:
    return list(dict.fromkeys(event.type for event in events))


async def test_it_answers_from_what_was_said_and_does_as_it_is_told() -> None:
    async with (
        endpoint_process() as base_url,
        client_of(base_url) as client,
        aiohttp.ClientSession(base_url.removesuffix("v1")) as http,
    ):
        asked = ("The deadline is March 15th", "Hello", "What is the deadline?")
        chunks = await complete(client, *asked)
        assert text_of(chunks) == "Earlier you said: The deadline is March 15th"
        assert end_of(await respond(client)).output_text == "You said: Hello"
        calls = [{"name": "clock"}, {"name": "history", "arguments": "{}"}]
        await http.post("script", json=[{"kind": "CallTools", "calls": calls}])
        names = [
            call.function.name
            for chunk in await complete(client, "Hello")
            for call in chunk.choices[0].delta.tool_calls or ()
            if call.function and call.function.name
        ]
        assert names == ["clock", "history"]
        async with http.get("requests") as response:
            journal = await response.json()
        assert journal["count"] == 3
        assert set(journal["paths"]) == {"/v1/chat/completions", "/v1/responses"}
        assert [each.id async for each in client.models.list()] == ["gpt-6-luna"]


async def test_as_a_process_it_keeps_to_rules() -> None:
    async with endpoint_process("--rules", "openai") as base_url, client_of(base_url) as client:
        assert "gpt-6-astra" in [each.id async for each in client.models.list()]
        with pytest.raises(openai.NotFoundError, match="404"):
            await respond(client, model="gpt-7")


class TestResponses:
    async def test_an_answer_has_every_event_in_order(self, client: AsyncOpenAI) -> None:
        events = await respond(client)
        assert types_of(events) == [
            "response.created",
            "response.in_progress",
            "response.output_item.added",
            "response.content_part.added",
            "response.output_text.delta",
            "response.output_text.done",
            "response.content_part.done",
            "response.output_item.done",
            "response.completed",
        ]
        assert [event.sequence_number for event in events] == list(range(len(events)))
        ended = end_of(events)
        assert (ended.output_text, ended.status) == ("You said: Hello", "completed")
        assert ended.usage
        assert (ended.usage.input_tokens, ended.usage.output_tokens) == (1, 3)

    @pytest.mark.parametrize(
        ("finish_reason", "reason"),
        [("length", "max_output_tokens"), ("content_filter", "content_filter")],
    )
    async def test_an_answer_that_is_cut_is_incomplete(
        self, endpoint: Endpoint, client: AsyncOpenAI, finish_reason: str, reason: str
    ) -> None:
        endpoint.script(Reply(text="Half of", finish_reason=finish_reason))
        ended = end_of(await respond(client))
        assert ended.status == "incomplete"
        assert ended.incomplete_details
        assert ended.incomplete_details.reason == reason

    async def test_a_refusal_is_a_part_of_its_own(
        self, endpoint: Endpoint, client: AsyncOpenAI
    ) -> None:
        endpoint.script(Refuse(text="No."))
        events = await respond(client)
        assert {"response.refusal.delta", "response.refusal.done"} <= set(types_of(events))
        (message,) = end_of(events).output
        assert message.model_dump(include={"content"})["content"] == [
            {"type": "refusal", "refusal": "No."}
        ]

    async def test_calls_come_in_pieces_after_reasoning_and_text(
        self, endpoint: Endpoint, client: AsyncOpenAI
    ) -> None:
        calls = (CallTool(name="clock", arguments='{"a": 1}'), CallTool(name="clock"))
        endpoint.script(CallTools(text="Wait.", calls=calls))
        events = await respond(client, thinking=True)
        pieces = [e.delta for e in events if e.type == "response.function_call_arguments.delta"]
        assert "".join(pieces) == '{"a": 1}{}'
        thought, message, *called = end_of(events).output
        assert [item.type for item in (thought, message, *called)] == [
            "reasoning",
            "message",
            "function_call",
            "function_call",
        ]
        assert len({item.call_id for item in called if item.type == "function_call"}) == 2

    async def test_what_stands_in_added_is_only_the_beginning_of_the_secret(
        self, client: AsyncOpenAI
    ) -> None:
        events = await respond(client, thinking=True)
        added, done = [
            event.item
            for event in events
            if event.type in {"response.output_item.added", "response.output_item.done"}
            and event.item.type == "reasoning"
        ]
        assert done.encrypted_content
        assert added.encrypted_content
        assert done.encrypted_content.startswith(added.encrypted_content)
        assert added != done

    async def test_a_failure_in_the_middle_ends_it(
        self, endpoint: Endpoint, client: AsyncOpenAI
    ) -> None:
        endpoint.script(FailLate(after=1, message="Sorry."))
        ended = end_of(await respond(client))
        assert ended.error
        assert (ended.status, ended.error.code, ended.error.message) == (
            "failed",
            "server_error",
            "Sorry.",
        )

    async def test_a_cut_stream_just_ends(self, endpoint: Endpoint, client: AsyncOpenAI) -> None:
        endpoint.script(Truncate(after=2), Truncate())
        assert (await respond(client))[-1].type == "response.output_text.delta"
        assert await respond(client) == []

    @pytest.mark.parametrize(
        ("behaviour", "error"),
        [
            (Fail(status=503), openai.InternalServerError),
            (Malformed(after=1), json.JSONDecodeError),
            (Disconnect(after=1), openai.APIConnectionError),
        ],
    )
    async def test_what_goes_wrong_is_the_same_on_both_apis(
        self,
        endpoint: Endpoint,
        client: AsyncOpenAI,
        behaviour: Behaviour,
        error: type[Exception],
    ) -> None:
        endpoint.script(behaviour, behaviour)
        with pytest.raises(error):
            await respond(client)
        with pytest.raises(error):
            await complete(client, "Hello")
        assert endpoint.paths == ["/v1/responses", "/v1/chat/completions"]

    async def test_events_can_be_given(self, endpoint: Endpoint, client: AsyncOpenAI) -> None:
        event = '{"type": "error", "code": "x", "message": "Broken.", "sequence_number": 0}'
        endpoint.script(Raw(events=(event,)), Exactly(pieces=(": keep-", "alive\n\n")))
        (error,) = await respond(client)
        assert error.type == "error"
        assert error.message == "Broken."
        assert await respond(client) == []


class TestChatCompletions:
    async def test_a_refusal_is_no_text(self, endpoint: Endpoint, client: AsyncOpenAI) -> None:
        endpoint.script(Refuse(text="No."))
        deltas = [chunk.choices[0].delta for chunk in await complete(client, "Hello")]
        assert [delta.refusal for delta in deltas if delta.refusal] == ["No."]
        assert not any(delta.content for delta in deltas)

    async def test_the_same_answer_is_given_to_both_apis(
        self, endpoint: Endpoint, client: AsyncOpenAI
    ) -> None:
        chat, response = await complete(client, "Hello"), end_of(await respond(client))
        assert text_of(chat) == response.output_text == "You said: Hello"

    async def test_a_failure_in_the_middle_is_an_error(
        self, endpoint: Endpoint, client: AsyncOpenAI
    ) -> None:
        endpoint.script(FailLate(after=1, message="Sorry."))
        with pytest.raises(openai.APIError, match=r"Sorry\."):
            await complete(client, "Hello")
