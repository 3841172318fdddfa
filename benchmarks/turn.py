"""What one ask costs beyond the bare model call, beside the least that it can cost.

    python -m benchmarks.turn [postgres://…/an-empty-database] [--statements] [--agents PYTHON]

An agent is asked through an endpoint in another process; the same prompts are then sent by our
own model alone, and a turn is made by the raw driver (`benchmarks.floor`). All of it in turns, so
that a machine that is busy now and then does not move the ratios. Prints milliseconds of processor
time, the median and the least of the rounds, for conversations of each length, and the statements
of one turn, with how often it says BEGIN: PostgreSQL takes most transactions as one statement.

With a Python that has the openai-agents SDK, its sessions are asked in the same rounds
(`benchmarks.agents_session`), and what they cost beyond the SDK's own model call is printed, too:
with the whole history, which the SDK sends unless it is told a limit, and with as many messages as
ours. The whole of 100,000 messages is left out: an ask takes 25 seconds of processor time.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from operator import truediv
from statistics import median

import core
from benchmarks import floor
from benchmarks.agents_session import HOW, Sessions, sessions
from benchmarks.endpoint import environment
from benchmarks.floor import Floor
from core import Agent, clock
from core.api.process import opened
from core.llm import ModelEvent, ModelRequest
from core.llm.endpoint import EndpointModel
from storage.models import Conversation, Message, MessageRole
from tests.statements import asked

SIZES = (10, 1_000, 100_000)
ROUNDS = 5
TURNS = 20  # a round
ASKS = 10  # of the SDK, a round
MOST_SENT = 1_000  # messages
Ask = Callable[[], Awaitable[object]]

CHUNKS = "8"
QUESTION = "q" * 110


@dataclass(frozen=True)
class Call:
    """What a turn asked a model."""

    model: EndpointModel
    request: ModelRequest


_calls: list[Call] = []
_stream = EndpointModel.stream


async def _noted(model: EndpointModel, request: ModelRequest) -> AsyncGenerator[ModelEvent, None]:
    _calls.append(Call(model, request))
    async for event in _stream(model, request):
        yield event


async def fill(where: int, size: int) -> None:
    """Let the conversation have that many messages."""
    last = (await Conversation.get(id=where)).last_seq
    await Message.filter(conversation_id=where, seq__gt=size).delete()
    now = clock.now()
    for start in range(last + 1, size + 1, 10_000):
        await Message.bulk_create(
            Message(
                conversation_id=where,
                seq=seq,
                role=MessageRole.USER if seq % 2 else MessageRole.ASSISTANT,
                author="ana",
                text="m" * 150,
                tokens=46,
                turn_id=0,
                said_at=now,
            )
            for seq in range(start, min(start + 10_000, size + 1))
        )
    await Conversation.filter(id=where).update(last_seq=size)


async def spent(act: Ask) -> float:
    """Milliseconds of processor time."""
    start = time.process_time()
    for _ in range(TURNS):
        await act()
    return (time.process_time() - start) * 1000 / TURNS


async def measure(
    agent: Agent, size: int, floors: dict[str, Floor], others: Sessions | None
) -> None:
    """Print a line for a conversation of this size."""
    room = f"room{size}"
    ask = partial(agent.ask, QUESTION, room=room)
    await ask()
    where = (await Conversation.get(address=f"python/{room}")).id
    rounds = [
        {**await _round(ask, floors, where, size), **(await _asked(others, size) if others else {})}
        for _ in range(ROUNDS)
    ]
    own = [each["ask"] - each["model"] for each in rounds]
    spent_by = {name: [each[name] for each in rounds] for name in rounds[0]}
    parts = " · ".join(f"{name} {_said(spent)}" for name, spent in spent_by.items())
    ratios = " · ".join(
        f"{name} {median(map(truediv, own, spent_by[name])):.1f}" for name in floors
    )
    for name in [name for name in spent_by if name.startswith("the SDK")]:
        ratios += f"; {name} costs {median(map(truediv, spent_by[name], own)):.1f} times as much"
    async with asked() as statements:
        await ask()
    print(
        f"{size:>7,} messages: own {_said(own)} ms, to the floor by {ratios};"
        f" {len(statements)} statements, {statements.transactions} times BEGIN\n"
        f"{'':17} {parts}"
    )
    if "--statements" in sys.argv:
        print("\n".join(statements))


def _said(spent: list[float]) -> str:
    return f"{median(spent):.1f} ({min(spent):.1f})"


async def _round(ask: Ask, floors: dict[str, Floor], where: int, size: int) -> dict[str, float]:
    _calls.clear()
    await fill(where, size)
    result = {"ask": await spent(ask)}
    calls = iter(_calls)

    async def call() -> None:
        made = next(calls)
        async for _ in _stream(made.model, made.request):
            pass

    window = len(_calls[0].request.messages)
    result["model"] = await spent(call)
    for name, each in floors.items():
        result[name] = await spent(partial(each.turn, where, QUESTION, window))
    return result


async def _asked(others: Sessions, size: int) -> dict[str, float]:
    window = len(_calls[0].request.messages)
    limits: dict[str, int | None] = {"the SDK": None} if size <= MOST_SENT else {}
    if size > window:
        limits["the SDK with as many as ours"] = window
    spent: dict[str, float] = {}
    for name, limit in limits.items():
        each = await others(size, limit, ASKS)
        spent[name] = each["ask"] - each["model"]
        spent[f"model of {name}"] = each["model"]
    return spent


async def main(url: str, python: str | None) -> None:
    """Open, measure, close."""
    EndpointModel.stream = _noted  # type: ignore[assignment, method-assign]
    agent = await Agent.create(name="bench", model=CHUNKS, tools=[])
    (await opened()).resources.grown.is_watched = True  # a compaction is no part of a turn
    async with AsyncExitStack() as stack:
        stack.push_async_callback(core.close)
        if url.startswith("sqlite"):
            file = url.removeprefix("sqlite://")
            floors = {
                "sqlite3": await stack.enter_async_context(floor.inline(file)),
                "aiosqlite": await stack.enter_async_context(floor.threaded(file)),
            }
        else:
            floors = {"asyncpg": await stack.enter_async_context(floor.postgres(url))}
        others = None
        if python:
            others = await stack.enter_async_context(sessions(python, url))
            await others(SIZES[0], None, 1)  # it imports what it needs
        for size in SIZES:
            await measure(agent, size, floors, others)


if __name__ == "__main__":
    interpreter = sys.argv[sys.argv.index("--agents") + 1] if "--agents" in sys.argv else None
    if interpreter is None:
        print(HOW)
    with environment(next((each for each in sys.argv[1:] if "://" in each), None)) as database:
        asyncio.run(main(database, interpreter))
