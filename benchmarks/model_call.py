"""What one model call costs in processor time: ours beside the SDK's typed path and a bare client.

    python -m benchmarks.model_call

Starts an endpoint of its own in another process on loopback. For each size it prints the median of
several interleaved rounds in milliseconds a call, and ours as a ratio to the bare client: httpx2
that posts the JSON and parses each event. The ratio is the median of those within each round, which
a machine that is busy now and then does not move.
"""

from __future__ import annotations

import asyncio
import http.server
import json
import multiprocessing
import time
from collections.abc import Awaitable, Callable
from functools import cache
from multiprocessing.sharedctypes import Synchronized
from statistics import median

import httpx2
from openai import AsyncOpenAI
from openai.types.chat import ChatCompletionMessageParam

from core.llm import ModelRequest, PromptMessage, Role
from core.llm.endpoint import EndpointModel
from core.spec import Api

SIZES = [(messages, chunks) for chunks in (8, 200) for messages in (2, 40, 350)]
ROUNDS = 9
CALLS = 12  # a round

Call = Callable[[int, int], Awaitable[None]]


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers with as many chunks as the model's name says, in one piece."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else each call waits 40 ms for an acknowledgement

    def do_POST(self) -> None:
        """On either API."""
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        is_chat = self.path.endswith("/chat/completions")
        events = (chat_events if is_chat else response_events)(int(body["model"]))
        out = "".join(f"data: {json.dumps(event)}\n\n" for event in events).encode()
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("content-length", str(len(out)))
        self.end_headers()
        self.wfile.write(out)

    def log_message(self, *_: object) -> None:
        """Nothing is logged."""


def chat_events(count: int) -> list[dict[str, object]]:
    """Chunks as OpenAI sends them."""
    frame = {"id": "c", "object": "chat.completion.chunk", "created": 0, "model": "m"}
    said = {"index": 0, "delta": {"content": "some words "}, "finish_reason": None}
    end = {"index": 0, "delta": {}, "finish_reason": "stop"}
    return [*({**frame, "choices": [said]} for _ in range(count)), {**frame, "choices": [end]}]


def response_events(count: int) -> list[dict[str, object]]:
    """Typed events as OpenAI sends them."""
    said = {"type": "response.output_text.delta", "output_index": 0, "delta": "some words "}
    return [*(said for _ in range(count)), {"type": "response.completed", "response": {}}]


def serve(port: Synchronized[int]) -> None:
    """The endpoint; ends with its parent."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    port.value = server.server_port
    server.serve_forever()


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


def ours(client: AsyncOpenAI, api: Api) -> Call:
    """Our model, from a request of ours to the last event."""
    models: dict[int, EndpointModel] = {}

    async def call(messages: int, chunks: int) -> None:
        model = models.setdefault(chunks, EndpointModel(client, str(chunks), api=api))
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
    async with (
        AsyncOpenAI(base_url=base_url, api_key="k") as client,
        httpx2.AsyncClient() as http_client,
    ):
        calls = {
            "chat": ours(client, Api.CHAT),
            "responses": ours(client, Api.RESPONSES),
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


async def _round(calls: dict[str, Call], messages: int, chunks: int) -> dict[str, float]:
    """Milliseconds of processor time a call, of each in turn."""
    spent: dict[str, float] = {}
    for name, call in calls.items():
        start = time.process_time()
        for _ in range(CALLS):
            await call(messages, chunks)
        spent[name] = (time.process_time() - start) * 1000 / CALLS
    return spent


def main() -> None:
    """Start the endpoint, measure, stop it."""
    port: Synchronized[int] = multiprocessing.Value("i", 0)
    server = multiprocessing.Process(target=serve, args=(port,), daemon=True)
    server.start()
    while not port.value:
        time.sleep(0.05)
    try:
        asyncio.run(measure(f"http://127.0.0.1:{port.value}/v1"))
    finally:
        server.terminate()
        server.join()


if __name__ == "__main__":
    main()
