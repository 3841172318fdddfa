"""One runtime in a program: opened at first use, in whatever event loop that is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.core.programs import run, run_cold
from tests.forked import Ended
from tests.peers.endpoint import Endpoint, recall

REMEMBER = """
import asyncio
from core import Agent

async def main():
    agent = await Agent.create(name="ProjectAssistant", model="gpt-6-luna")
    await agent.ask("Remember that our project deadline is March 15th")

asyncio.run(main())
"""
RECALL = """
import asyncio
from core import Agent, close

async def main():
    loaded = await Agent.find_by_name("ProjectAssistant")
    print(await loaded.ask("What is our project deadline?"))
    await close()

asyncio.run(main())
"""
TWO_LOOPS = """
import asyncio
from core import Agent, close

async def ask(text, room="main"):
    agent = await Agent.create(name="Ada")
    return await agent.ask(text, room=room)

async def many():
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(ask(f"again {n}", str(n))) for n in range(5)]
    print([task.result() for task in tasks])
    await close()

print(asyncio.run(ask("first")))
asyncio.run(many())
"""
CLOSED_IN_ANOTHER_LOOP = """
import asyncio
from core import Agent, close

async def main():
    agent = await Agent.create(name="Ada")
    print(await agent.ask("first"))

asyncio.run(main())
asyncio.run(close())
asyncio.run(main())
asyncio.run(close())
"""
INTERRUPTED = """
import asyncio
from core import Agent

async def main():
    agent = await Agent.create(name="Ada")
    async with asyncio.TaskGroup() as group:
        asking = group.create_task(agent.ask("first"))
        await asyncio.sleep(0.3)
        asking.cancel()
    print("cancelled", asking.cancelled())
    print(await agent.ask("second"))

asyncio.run(main())
"""
CLOSED_TWICE = """
import asyncio
from core import close

asyncio.run(close())
asyncio.run(close())
"""
THREADS = """
import asyncio
from concurrent.futures import ThreadPoolExecutor
from core import Agent, close

async def ask(number):
    agent = await Agent.create(name="Ada")
    async with asyncio.TaskGroup() as group:
        asked = [group.create_task(agent.ask(f"{number}.{n}", room=f"{number}.{n}")) for n in "ab"]
    await close()
    return " ".join(each.result() for each in asked)

with ThreadPoolExecutor(8) as threads:
    for answer in threads.map(lambda number: asyncio.run(ask(number)), range(8)):
        print(answer)
"""
UNDER_A_BOT = """
import asyncio
from core import Agent, close
from core.runtime import Runtime
from core.config.settings import from_environment

async def tool(text):
    agent = await Agent.find_by_name("assistant")
    answer = await agent.ask(text, room=text)
    await close()
    return answer

async def main():
    runtime = await Runtime.open(from_environment())
    async with asyncio.TaskGroup() as group:
        asked = [group.create_task(tool(text)) for text in ("one", "two")]
    print([each.result() for each in asked])
    print(await asyncio.to_thread(lambda: asyncio.run(tool("three"))))
    print(len(await runtime.directory.everyone()), await tool("four"))
    await runtime.close()

asyncio.run(main())
"""


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    async with Endpoint(recall) as endpoint:
        yield endpoint


async def program(source: str, endpoint: Endpoint, folder: Path) -> Ended:
    """The program, with this endpoint in its environment."""
    return await run(source, folder=folder, environment=_known(endpoint))


def _known(endpoint: Endpoint) -> dict[str, str]:
    return {"OPENAI_BASE_URL": endpoint.base_url, "OPENAI_API_KEY": "sk-1"}


async def test_a_new_process_knows_the_agent_and_what_it_was_told(
    endpoint: Endpoint, tmp_path: Path
) -> None:
    await program(REMEMBER, endpoint, tmp_path)
    ended = await program(RECALL, endpoint, tmp_path)
    assert ended.out == "Earlier you said: Remember that our project deadline is March 15th\n"


@pytest.mark.usefixtures("filled_url")
async def test_a_program_that_forgets_to_close_exits(endpoint: Endpoint, tmp_path: Path) -> None:
    ended = await run_cold(REMEMBER, folder=tmp_path, environment=_known(endpoint))
    assert (ended.code, ended.out, ended.err) == (0, "", "")


@pytest.mark.usefixtures("filled_url")
async def test_a_program_can_have_one_event_loop_after_another(
    endpoint: Endpoint, tmp_path: Path
) -> None:
    ended = await program(TWO_LOOPS, endpoint, tmp_path)
    assert ended.out == (
        "You said: first\n"
        "['You said: again 0', 'You said: again 1', 'You said: again 2', "
        "'You said: again 3', 'You said: again 4']\n"
    )
    assert ended.code == 0


@pytest.mark.usefixtures("filled_url")
async def test_a_program_can_close_in_another_event_loop(
    endpoint: Endpoint, tmp_path: Path
) -> None:
    ended = await program(CLOSED_IN_ANOTHER_LOOP, endpoint, tmp_path)
    assert ended.code == 0, ended.err
    assert ended.out == "You said: first\nYou said: first\n"


@pytest.mark.usefixtures("filled_url")
async def test_a_question_that_is_cancelled_is_answered_with_the_next(
    endpoint: Endpoint, tmp_path: Path
) -> None:
    async with Endpoint(recall, pause=0.1) as slow:
        ended = await program(INTERRUPTED, slow, tmp_path)
    assert ended.out == "cancelled True\nYou said: second\n"
    assert (ended.code, ended.err) == (0, "")


async def test_closing_what_is_not_open_does_nothing(endpoint: Endpoint, tmp_path: Path) -> None:
    ended = await program(CLOSED_TWICE, endpoint, tmp_path)
    assert (ended.code, ended.err) == (0, "")


@pytest.mark.usefixtures("filled_url")
async def test_threads_with_event_loops_of_their_own_each_get_answers(
    endpoint: Endpoint, tmp_path: Path
) -> None:
    ended = await program(THREADS, endpoint, tmp_path)
    assert (ended.code, ended.err) == (0, "")
    said = [f"You said: {number}.a You said: {number}.b" for number in range(8)]
    assert ended.out.splitlines() == said


@pytest.mark.usefixtures("filled_url")
async def test_a_tool_under_a_running_bot_asks_agents_with_what_is_open_there(
    endpoint: Endpoint, tmp_path: Path
) -> None:
    """Also one that is not async, in an event loop of its thread."""
    ended = await program(UNDER_A_BOT, endpoint, tmp_path)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.splitlines() == [
        "['You said: one', 'You said: two']",
        "You said: three",
        "1 You said: four",
    ]
