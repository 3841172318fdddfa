"""What one model call costs in processor time: ours beside the SDK's typed path and a bare client.

    python -m benchmarks.model_call

Starts an endpoint of its own in another process on loopback. For each size it prints the median of
several interleaved rounds in milliseconds a call, and ours as a ratio to the bare client: httpx2
that posts the JSON and parses each event. The ratio is the median of those within each round, which
a machine that is busy now and then does not move.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import cache
from statistics import median

import httpx2
from openai import AsyncOpenAI
from openai.types.chat import ChatCompletionMessageParam

from benchmarks.endpoint import endpoint
from core.llm import Api, ModelRequest, PromptMessage, Role
from core.llm.endpoints import Endpoint, Endpoints

SIZES = [(messages, chunks) for chunks in (8, 200) for messages in (2, 40, 350)]
ROUNDS = 9
CALLS = 12  # a round
SHORT_CALLS = 60  # a round, where one takes about a millisecond

Call = Callable[[int, int], Awaitable[None]]


@cache
def said(count: int) -> tuple[PromptMessage, ...]:
    """A conversation of so many messages."""
    roles = (Role.USER, Role.ASSISTANT)
    return tuple(PromptMessage(role=roles[at % 2], content="q" * 150) for at in range(count))


def as_chat(message: PromptMessage) -> dict[str, object]:
    """As Chat Completions has it."""
    return {"role": message.role.value, "content": message.content}


def as_item(message: PromptMessage) -> dict[str, object]:
    """As Responses has it, with the types that some endpoints insist on."""
    kind = "input_text" if message.role is Role.USER else "output_text"
    part = {"type": kind, "text": message.content}
    return {"type": "message", "role": message.role.value, "content": [part]}


def ours(endpoints: Endpoints, at: Endpoint) -> Call:
    """Our model, from a request of ours to the last event."""

    async def call(messages: int, chunks: int) -> None:
        model = endpoints.model([str(chunks)], at)
        async for _ in model.stream(ModelRequest(messages=said(messages))):
            pass

    return call


def typed(client: AsyncOpenAI) -> Call:
    """The SDK's own way."""

    async def call(messages: int, chunks: int) -> None:
        prompt: list[ChatCompletionMessageParam] = [
            {"role": "user", "content": each.content}
            if each.role is Role.USER
            else {"role": "assistant", "content": each.content}
            for each in said(messages)
        ]
        stream = await client.chat.completions.create(
            model=str(chunks),
            messages=prompt,
            stream=True,
            stream_options={"include_usage": True},
        )
        async for _ in stream:
            pass

    return call


def bare(client: httpx2.AsyncClient, path: str) -> Call:
    """The least that any client does."""

    async def call(messages: int, chunks: int) -> None:
        is_chat = path.endswith("completions")
        prompt = [as_chat(each) if is_chat else as_item(each) for each in said(messages)]
        name = "messages" if is_chat else "input"
        body = {"model": str(chunks), name: prompt, "stream": True}
        headers = {"Authorization": "Bearer k"}
        async with client.stream("POST", path, json=body, headers=headers) as response:
            async for event in httpx2.EventSource(response):
                json.loads(event.data)

    return call


async def measure(base_url: str) -> None:
    """Print a line for each size."""
    endpoints = Endpoints()
    async with (
        AsyncOpenAI(base_url=base_url, api_key="k") as client,
        httpx2.AsyncClient() as http_client,
    ):
        at = Endpoint(base_url=base_url, api_key="k")
        calls = {
            "chat": ours(endpoints, replace(at, api=Api.CHAT)),
            "responses": ours(endpoints, replace(at, api=Api.RESPONSES)),
            "typed": typed(client),
            "bare chat": bare(http_client, f"{base_url}/chat/completions"),
            "bare responses": bare(http_client, f"{base_url}/responses"),
        }
        for messages, chunks in SIZES:
            rounds = [await _round(calls, messages, chunks) for _ in range(ROUNDS)]
            spent = ", ".join(
                f"{name} {median(each[name] for each in rounds):.1f}" for name in calls
            )
            ratios = [
                median(each[name] / each[f"bare {name}"] for each in rounds)
                for name in ("chat", "responses")
            ]
            print(
                f"{messages:>3} messages, {chunks:>3} chunks: {spent} ms; "
                f"to the bare client: chat {ratios[0]:.2f}, responses {ratios[1]:.2f}"
            )
    await endpoints.close()


async def _round(calls: dict[str, Call], messages: int, chunks: int) -> dict[str, float]:
    """Milliseconds of processor time a call, of each in turn."""
    spent: dict[str, float] = {}
    for name, call in calls.items():
        calls_a_round = CALLS if messages > 40 else SHORT_CALLS
        start = time.process_time()
        for _ in range(calls_a_round):
            await call(messages, chunks)
        spent[name] = (time.process_time() - start) * 1000 / calls_a_round
    return spent


def main() -> None:
    """Start the endpoint, measure, stop it."""
    with endpoint() as base_url:
        asyncio.run(measure(base_url))


if __name__ == "__main__":
    main()
