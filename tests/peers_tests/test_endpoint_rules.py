"""What the model endpoint refuses, as OpenAI does: shapes of requests, and rules of models."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import openai
import pytest
from openai import AsyncOpenAI

from tests.core.llm.asking import client_of
from tests.peers.endpoint import OPENAI, CallTool, Endpoint
from tests.peers_tests.responding import HELLO, end_of, respond

if TYPE_CHECKING:
    from openai.types.responses import ResponseInputParam


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    async with Endpoint() as endpoint:
        yield endpoint


@pytest.fixture
async def client(endpoint: Endpoint) -> AsyncIterator[AsyncOpenAI]:
    async with client_of(endpoint.base_url) as client:
        yield client


class TestARequestForAResponse:
    async def call(self, endpoint: Endpoint, client: AsyncOpenAI) -> ResponseInputParam:
        """A call and its result, with what stands before them, as it has to be given back."""
        endpoint.script(CallTool(name="clock"))
        output = end_of(await respond(client, thinking=True)).output
        given = [item.model_dump(exclude_unset=True, by_alias=True) for item in output]
        (call,) = [item for item in output if item.type == "function_call"]
        result = {"type": "function_call_output", "call_id": call.call_id, "output": "noon"}
        return [*HELLO, *given, result]  # type: ignore[list-item]  # items as they came

    async def test_what_was_given_with_a_call_is_taken_back(
        self, endpoint: Endpoint, client: AsyncOpenAI
    ) -> None:
        input = await self.call(endpoint, client)  # noqa: A001  # as the API calls it
        assert end_of(await respond(client, input, thinking=True)).status == "completed"
        assert endpoint.requests[-1]["input"] == input

    async def test_reasoning_must_come_back_unchanged(
        self, endpoint: Endpoint, client: AsyncOpenAI
    ) -> None:
        hello, thought, call, result = await self.call(endpoint, client)
        assert isinstance(thought, dict)
        for items, complaint in (
            ([hello, call, result], "without its required 'reasoning' item"),
            ([hello, {**thought, "encrypted_content": "x"}, call, result], "could not be verified"),
            ([hello, {**thought, "encrypted_content": None}, call, result], "not persisted"),
            ([hello, thought], "without its required following item"),
            ([hello, thought, result], "No tool call found for function call output"),
            ([hello, thought, call], "No tool output found for function call"),
        ):
            with pytest.raises(openai.APIStatusError) as refusal:
                await respond(client, items, thinking=True)  # type: ignore[arg-type]  # as they came
            assert complaint in str(refusal.value.body)

    async def test_another_model_does_not_ask_for_it(
        self, endpoint: Endpoint, client: AsyncOpenAI
    ) -> None:
        hello, _, call, result = await self.call(endpoint, client)
        ended = end_of(await respond(client, [hello, call, result], model="another"))
        assert ended.status == "completed"

    @pytest.mark.parametrize(
        ("wrong", "complaint"),
        [
            ({"input": [{"role": "user", "content": "Hi"}]}, "'input[0].type'"),
            ({"input": [{"type": "text"}]}, "Invalid value: 'text'"),
            ({"input": [{"type": "message", "role": "user"}]}, "'input[0].content'"),
            (
                {
                    "input": [
                        {"type": "message", "role": "user", "content": [{"type": "text"}]},
                    ]
                },
                "Supported values are: 'input_text'",
            ),
            (
                {
                    "input": [
                        {"type": "function_call", "call_id": "a", "name": "b", "arguments": {}}
                    ]
                },
                "expected a string",
            ),
            ({"messages": []}, "moved to 'input'"),
            ({"max_tokens": 5}, "moved to 'max_output_tokens'"),
            ({"colour": "red"}, "Unknown parameter: 'colour'"),
            ({"stream_options": {"include_usage": True}}, "stream_options.include_usage"),
            ({"tools": [{"type": "function", "function": {"name": "a"}}]}, "'tools[0].name'"),
            ({"include": ["reasoning.encrypted_content"], "store": True}, "store=false"),
        ],
    )
    async def test_what_is_wrong_with_it_is_said(
        self, client: AsyncOpenAI, wrong: dict[str, object], complaint: str
    ) -> None:
        body = {"model": "m", "input": HELLO, "stream": True, **wrong}
        with pytest.raises(openai.BadRequestError) as refusal:
            await client.post("/responses", cast_to=object, body=body)
        assert complaint in str(refusal.value.body)


class TestOpenAIsModels:
    @pytest.fixture
    async def endpoint(self) -> AsyncIterator[Endpoint]:
        async with Endpoint(rules=OPENAI) as endpoint:
            yield endpoint

    async def ask(self, client: AsyncOpenAI, model: str, **given: object) -> str:
        """What it complains about; nothing if it answers."""
        body = {"model": model, "messages": [{"role": "user", "content": "Hello"}], **given}
        try:
            await client.post("/chat/completions", cast_to=object, body={**body, "stream": True})
        except openai.APIStatusError as error:
            return str(error.body)
        return ""

    @pytest.mark.parametrize("model", ["gpt-5.6", "gpt-6-luna", "gpt-6-astra", "gpt-6.1-sol"])
    async def test_tools_are_refused_while_a_model_reasons(
        self, client: AsyncOpenAI, model: str
    ) -> None:
        tools = [{"type": "function", "function": {"name": "clock", "parameters": {}}}]
        for given in ({}, {"reasoning_effort": "low"}):
            complaint = await self.ask(client, model, tools=tools, **given)
            assert f"not supported for {model} in /v1/chat/completions" in complaint
            assert "use /v1/responses" in complaint
        assert await self.ask(client, model) == ""
        assert end_of(await respond(client, model=model)).status == "completed"
        without = await self.ask(client, model, tools=tools, reasoning_effort="none")
        assert without == "" or "'none' is not supported with the" in without

    async def test_some_models_know_no_none(self, client: AsyncOpenAI) -> None:
        efforts = "'low', 'medium', 'high', and 'xhigh'"
        assert efforts in await self.ask(client, "gpt-6-astra", reasoning_effort="none")
        assert await self.ask(client, "gpt-6-luna", reasoning_effort="none") == ""

    async def test_a_model_that_reasons_takes_no_sampling(self, client: AsyncOpenAI) -> None:
        temperature = await self.ask(client, "gpt-6-luna", temperature=0.2)
        assert "'temperature' does not support 0.2 with this model" in temperature
        max_tokens = await self.ask(client, "gpt-6-luna", max_tokens=5)
        assert "Use 'max_completion_tokens' instead" in max_tokens
        assert "'stop' is not supported" in await self.ask(client, "gpt-6-luna", stop=["a"])
        quiet = {"reasoning_effort": "none", "temperature": 0.2, "max_tokens": 5, "stop": ["a"]}
        assert await self.ask(client, "gpt-6-luna", **quiet) == ""
        assert await self.ask(client, "gpt-4o", temperature=0.2) == ""

    async def test_a_model_that_does_not_reason_knows_nothing_of_it(
        self, client: AsyncOpenAI
    ) -> None:
        effort = await self.ask(client, "gpt-4o", reasoning_effort="low")
        assert "'reasoning_effort' is not supported" in effort
        with pytest.raises(openai.BadRequestError) as refusal:
            await respond(client, model="gpt-4o", thinking=True)
        assert "Encrypted content is not supported" in str(refusal.value.body)
        assert [item.type for item in end_of(await respond(client, model="gpt-4o")).output] == [
            "message"
        ]

    async def test_calls_and_results_belong_together(self, client: AsyncOpenAI) -> None:
        function = {"name": "clock", "arguments": "{}"}
        hello = {"role": "user", "content": "Hello"}
        call = {"role": "assistant", "tool_calls": [{"id": "a", "function": function}]}
        result = {"role": "tool", "tool_call_id": "a", "content": "noon"}
        assert await self.ask(client, "gpt-4o", messages=[hello, call, result]) == ""
        orphan = await self.ask(client, "gpt-4o", messages=[hello, result])
        assert "must be a response to a preceeding message" in orphan
        assert "did not have response" in await self.ask(client, "gpt-4o", messages=[hello, call])

    async def test_they_are_listed_with_their_last_day(self, client: AsyncOpenAI) -> None:
        dates = {each.id: each.shutdown_date async for each in client.models.list()}
        assert dates["gpt-4o-mini"] == "2027-01-14"
        assert dates["gpt-6-luna"] is None
        assert (await client.models.retrieve("gpt-5")).shutdown_date == "2026-12-11"
        with pytest.raises(openai.NotFoundError):
            await client.models.retrieve("gpt-7")
        assert "does not exist" in await self.ask(client, "gpt-7")
