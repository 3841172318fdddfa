"""What one ask costs with a session of the openai-agents SDK, in a process and Python of its own.

The SDK is no dependency of the project. `benchmarks.turn` asks this for rounds by standard input,
each a line of JSON, and is answered with milliseconds of processor time.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import sys
import time
from asyncio.subprocess import PIPE
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, cast

HOW = (
    "beside it an ask of the openai-agents SDK: python -m venv DIR && DIR/bin/pip install"
    " 'openai-agents[sqlalchemy]' asyncpg, then --agents DIR/bin/python"
)
HERE = Path(__file__).parents[1]
_LINE = 2**20  # bytes

Sessions = Callable[[int, int | None, int], Awaitable[dict[str, float]]]
Dynamic = Any  # type: ignore[explicit-any]  # nobody has the SDK's types here


@asynccontextmanager
async def sessions(python: str, url: str) -> AsyncGenerator[Sessions]:
    """What a round is told: earlier messages, the most of them that are sent, and asks."""
    process = await asyncio.create_subprocess_exec(
        *(python, "-m", "benchmarks.agents_session", url),
        cwd=HERE,
        stdin=PIPE,
        stdout=PIPE,
        limit=_LINE,
    )
    given, told = process.stdin, process.stdout
    assert given  # noqa: S101  # both are pipes
    assert told  # noqa: S101

    async def run(size: int, limit: int | None, asks: int) -> dict[str, float]:
        given.write(json.dumps([size, limit, asks]).encode() + b"\n")
        return cast("dict[str, float]", json.loads(await told.readline()))

    try:
        yield run
    finally:
        given.close()
        await process.wait()


async def _serve(url: str) -> None:
    agents, openai = import_module("agents"), import_module("openai")
    agents.set_tracing_disabled(True)
    client = openai.AsyncOpenAI()  # of the environment, as ours
    create, calls = client.chat.completions.create, []

    async def noted(**call: object) -> object:
        calls.append(call)
        return await create(**call)

    async def call() -> None:
        async for _ in await create(**calls[0]):
            pass

    client.chat.completions.create = noted
    model = agents.OpenAIChatCompletionsModel("8", client)
    agent = agents.Agent(name="bench", instructions="You are bench.", model=model)
    for line in sys.stdin:
        size, limit, asks = json.loads(line)
        session = _session(agents, url)
        await session.add_items([_message(number) for number in range(size)])
        run_config = agents.RunConfig(session_settings=agents.SessionSettings(limit=limit))

        async def ask(session: Dynamic = session, run_config: Dynamic = run_config) -> None:
            question = "q" * 110
            run = agents.Runner.run_streamed(
                agent, question, session=session, run_config=run_config
            )
            async for _ in run.stream_events():
                pass

        asked = called = 0.0
        for _ in range(asks):  # by turns: what is compared is long where the history is
            calls.clear()
            asked += await _spent(ask)
            called += await _spent(call)
        print(json.dumps({"ask": asked / asks, "model": called / asks}), flush=True)
        await session.clear_session()


def _session(agents: Dynamic, url: str) -> Dynamic:
    name = secrets.token_hex(8)
    if url.startswith("sqlite"):
        return agents.SQLiteSession(name, url.removeprefix("sqlite://") + ".sdk")
    made = import_module("agents.extensions.memory").SQLAlchemySession
    driver = url.replace("postgres://", "postgresql+asyncpg://", 1)
    return made.from_url(name, url=driver, create_tables=True)


def _message(number: int) -> dict[str, str]:
    return {"role": "assistant" if number % 2 else "user", "content": "m" * 150}


async def _spent(act: Callable[[], Awaitable[None]]) -> float:
    start = time.process_time()
    await act()
    return (time.process_time() - start) * 1000


if __name__ == "__main__" and sys.argv[1:]:  # `make bench` runs each file by itself
    asyncio.run(_serve(sys.argv[1]))
