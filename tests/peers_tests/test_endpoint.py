"""The model endpoint of the tests, as a process of its own."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp

from core.llm.openai import EndpointModel
from tests.core.llm.asking import answer_of, client_of, request


@asynccontextmanager
async def endpoint_process() -> AsyncIterator[str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.peers.endpoint", stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout
    yield (await process.stdout.readline()).decode().strip()
    process.send_signal(signal.SIGTERM)
    assert await process.wait() == 0


async def test_it_answers_from_what_was_said_and_does_as_it_is_told() -> None:
    async with (
        endpoint_process() as base_url,
        client_of(base_url) as client,
        aiohttp.ClientSession(base_url.removesuffix("v1")) as http,
    ):
        model = EndpointModel(client, "gpt-4o")
        asked = request("The deadline is March 15th", "Hello", "What is the deadline?")
        assert (
            await answer_of(model, asked)
        ).text == "Earlier you said: The deadline is March 15th"
        assert (await answer_of(model, request("Who?"))).text == "You said: Who?"
        calls = [{"name": "clock"}, {"name": "history", "arguments": "{}"}]
        await http.post("script", json=[{"kind": "CallTools", "calls": calls}])
        assert [call.name for call in (await answer_of(model, asked)).tool_calls] == [
            "clock",
            "history",
        ]
        async with http.get("requests") as response:
            assert (await response.json())["count"] == 3
        assert [each.id async for each in client.models.list()] == ["gpt-4o"]
