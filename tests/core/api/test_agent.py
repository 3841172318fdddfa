"""Agents from Python, as the contract shows them."""

from __future__ import annotations

import asyncio
import getpass
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest

from core import Agent, close
from core.config.spec import AgentSpec
from core.errors import AnswerFailed, ConfigMistake, UserMistake
from storage.errors import DatabaseUnusable, StorageError
from storage.models import InboxMessage, Message, Turn, TurnState
from tests.core import given
from tests.core.markers import marked, markers_in
from tests.patience import PATIENCE
from tests.peers.endpoint import CallTool, Endpoint, Fail, Reply, Truncate, recall

pytestmark = pytest.mark.usefixtures("environment")

LONG = [pytest.mark.chaos, pytest.mark.timeout(1800)]


def double(number: int) -> int:
    """Twice the number."""
    return number * 2


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    async with Endpoint(recall) as endpoint:
        yield endpoint


async def test_the_seed_example_works_word_for_word(endpoint: Endpoint) -> None:
    agent = await Agent.create(
        name="ProjectAssistant",
        model="gpt-6-luna",
        memory=True,
        instructions="You manage projects.",
    )
    await agent.ask("Remember that our project deadline is March 15th")
    await close()
    loaded = await Agent.find_by_name("ProjectAssistant")
    assert loaded
    answer = await loaded.ask("What is our project deadline?")
    assert answer == "Earlier you said: Remember that our project deadline is March 15th"
    deltas = [delta async for delta in loaded.stream("And who owns it?")]
    assert "".join(deltas) == "You said: And who owns it?"


async def test_an_unknown_agent_is_none() -> None:
    assert await Agent.find_by_name("Nobody") is None


async def test_system_prompt_is_another_word_for_instructions(endpoint: Endpoint) -> None:
    agent = await Agent.create(name="Ada", system_prompt="Rhyme.")
    await agent.ask("Hello")
    assert endpoint.requests[0]["messages"][0]["content"] == "Rhyme."


async def test_an_existing_name_keeps_its_history_with_the_new_configuration(
    endpoint: Endpoint,
) -> None:
    await (await Agent.create(name="Ada", instructions="Be brief.")).ask("I like tea")
    await (await Agent.create(name="Ada", instructions="Be long.")).ask("I like milk")
    told = [message["content"] for message in endpoint.requests[1]["messages"]]
    assert told == ["Be long.", "I like tea", "You said: I like tea", "I like milk"]


async def test_each_turn_tells_which_configuration_answered() -> None:
    await (await Agent.create(name="Ada", instructions="Be brief.")).ask("One")
    await (await Agent.create(name="Ada", instructions="Be long.")).ask("Two")
    turns = await Turn.all().order_by("id")
    assert [turn.revision for turn in turns] == [
        AgentSpec(name="Ada", instructions="Be brief.").fingerprint,
        AgentSpec(name="Ada", instructions="Be long.").fingerprint,
    ]


async def test_rooms_are_conversations_of_their_own(endpoint: Endpoint) -> None:
    agent = await Agent.create(name="Ada")
    await agent.ask("One", room="a")
    await agent.ask("Two", room="b")
    assert len(endpoint.requests[1]["messages"]) == 2


async def test_a_person_is_whoever_is_named_or_runs_the_program() -> None:
    agent = await Agent.create(name="Ada")
    await agent.ask("One")
    await agent.ask("Two", person="bob")
    rows = await InboxMessage.all().order_by("id")
    assert [row.author for row in rows] == [getpass.getuser(), "bob"]


async def test_a_stream_joins_to_the_answer_and_to_the_history(endpoint: Endpoint) -> None:
    endpoint.script(Reply(text="one two three four five", size=4))
    agent = await Agent.create(name="Ada")
    deltas = [delta async for delta in agent.stream("Count")]
    assert "".join(deltas) == "one two three four five"
    assert (await Message.all().order_by("-seq").first()).text == "one two three four five"  # type: ignore[union-attr]  # it was just said


async def test_a_stream_yields_while_the_answer_is_written(endpoint: Endpoint) -> None:
    endpoint.script(Reply(text="one two three", size=4, pause=0.02))
    agent = await Agent.create(name="Ada")
    deltas = [delta async for delta in agent.stream("Count")]
    assert len(deltas) > 1


async def test_two_streams_in_one_room_each_yield_their_own_answer() -> None:
    agent = await Agent.create(name="Ada", memory=False)

    async def streamed(text: str, person: str) -> str:
        return "".join([delta async for delta in agent.stream(text, person=person)])

    async with asyncio.TaskGroup() as group:
        one = group.create_task(streamed("One", "ana"))
        two = group.create_task(streamed("Two", "ana"))
        three = group.create_task(streamed("Three", "bob"))
    assert "One" in one.result()
    assert "Two" in two.result()
    assert three.result().endswith("Three")
    assert "One" not in three.result()


async def test_a_stream_that_is_closed_early_stops_the_answer(endpoint: Endpoint) -> None:
    endpoint.script(Reply(text="one two three four", size=4, pause=0.02))
    agent = await Agent.create(name="Ada")
    async with asyncio.timeout(PATIENCE), aclosing(agent.stream("Count")) as deltas:
        assert await anext(deltas)
    assert (await Turn.get(number=1)).state is TurnState.STOPPED
    assert await agent.ask("Hello") == "You said: Hello"


async def test_a_stream_that_is_left_early_stops_the_answer_too(endpoint: Endpoint) -> None:
    endpoint.script(Reply(text="one two three four", size=4, pause=0.02))
    agent = await Agent.create(name="Ada")
    async for _ in agent.stream("Count"):
        break
    await close()
    await Agent.find_by_name("Ada")
    assert (await Turn.get(number=1)).state is TurnState.STOPPED


async def test_a_stream_that_is_closed_while_its_answer_is_put_off_keeps_nobody_waiting(
    endpoint: Endpoint,
) -> None:
    endpoint.script(Truncate(after=2))
    agent = await Agent.create(name="Ada")
    async with aclosing(agent.stream("Count")) as deltas:
        assert await anext(deltas)
        await endpoint.idle()
        await asyncio.sleep(0.3)  # a second is how long the next attempt is put off
    assert len(endpoint.requests) == 1


async def test_a_database_that_fails_during_a_stream_is_told_to_who_takes_the_pieces(
    endpoint: Endpoint, tmp_path: Path
) -> None:
    endpoint.script(Reply(text="one two three", size=4, pause=0.02))
    agent = await Agent.create(name="Ada")
    stream = agent.stream("Count")
    assert await anext(stream)
    with given.broken(tmp_path / "moorings.db"):
        await endpoint.idle()
        await asyncio.sleep(0.1)  # as somebody who is slow to take the next piece
        with pytest.raises(StorageError):
            [delta async for delta in stream]


async def test_a_failure_is_told_as_one(endpoint: Endpoint) -> None:
    endpoint.script(Fail(status=401))
    agent = await Agent.create(name="Ada")
    with pytest.raises(AnswerFailed, match="My access to the language model") as caught:
        await agent.ask("Hello")
    assert "does not accept the key (HTTP 401): set OPENAI_API_KEY to a key" in str(caught.value)


async def test_a_missing_key_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    agent = await Agent.create(name="Ada", api_key_env="LOCAL_KEY")
    with pytest.raises(AnswerFailed, match="agent Ada has no key: set LOCAL_KEY"):
        await agent.ask("Hello")
    with pytest.raises(AnswerFailed, match="agent Ada has no key: set LOCAL_KEY"):
        [delta async for delta in agent.stream("Hello")]


async def test_a_limit_that_cannot_be_kept_is_a_mistake() -> None:
    with pytest.raises(ConfigMistake, match=r'add \[prices\."qwen3"\]'):
        await Agent.create(name="Ada", model="qwen3", daily_usd=5)


async def take(deltas: AsyncIterator[str], into: list[str]) -> None:
    """Take one piece after another."""
    async for delta in deltas:
        into.append(delta)  # noqa: PERF401 - what came before a failure counts


async def test_a_stream_ends_in_its_failure(endpoint: Endpoint) -> None:
    endpoint.script(Fail(status=401))
    agent = await Agent.create(name="Ada")
    yielded: list[str] = []
    with pytest.raises(AnswerFailed, match="My access to the language model"):
        await take(agent.stream("Hello"), yielded)
    assert yielded == []


@pytest.mark.parametrize(
    ("text", "room", "person"),
    [
        ("", "main", "ana"),
        (" \n\0", "main", "ana"),
        ("Hello", "", "ana"),
        ("Hello", "x" * 200, "ana"),
        ("Hello", "a\0b", "ana"),
        ("Hello", "main", ""),
        ("Hello", "main", "x" * 81),
        ("Hello", "main", "a\nb"),
    ],
)
async def test_what_cannot_be_said_is_a_mistake_and_not_stored(
    text: str, room: str, person: str
) -> None:
    agent = await Agent.create(name="Ada")
    with pytest.raises(UserMistake):
        await agent.ask(text, room=room, person=person)
    with pytest.raises(UserMistake):
        [delta async for delta in agent.stream(text, room=room, person=person)]
    assert await InboxMessage.all().count() == 0


@pytest.mark.parametrize("room", ["x" * 163, "a/b/c", "günther & söhne"])
async def test_a_room_can_have_any_name_that_fits(room: str) -> None:
    agent = await Agent.create(name="Ada")
    assert await agent.ask("Hello", room=room) == "You said: Hello"


async def test_a_function_is_a_tool(endpoint: Endpoint) -> None:
    agent = await Agent.create(name="Ada", tools=["clock", double])
    endpoint.script(CallTool(name="double", arguments='{"number": 21}'), Reply(text="42"))
    assert await agent.ask("Twice 21?") == "42"
    assert endpoint.requests[1]["messages"][-1]["content"] == "42"


@pytest.mark.parametrize(
    ("configuration", "complaint"),
    [
        ({"instructoins": "x"}, "did you mean 'instructions'"),
        ({"temperature": 9}, "temperature"),
        ({"tools": [lambda: 1]}, "is no tool"),
        ({"tools": [3]}, "3 is no tool"),
        ({"tools": "clock"}, "tools"),
    ],
)
async def test_a_configuration_that_cannot_be_used_is_refused(
    configuration: dict[str, object], complaint: str
) -> None:
    with pytest.raises(ConfigMistake, match=complaint):
        await Agent.create(name="Ada", **configuration)


async def test_a_database_that_cannot_be_used_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "sqlite:///nowhere/at/all.db")
    with pytest.raises(DatabaseUnusable):
        await Agent.create(name="Ada")


async def test_an_agent_knows_its_name() -> None:
    assert (await Agent.create(name="Ada")).name == "Ada"


class TestManyAgentsInManyRooms:
    """All at once in one process."""

    @pytest.fixture
    async def endpoint(self) -> AsyncIterator[Endpoint]:
        async with Endpoint(markers_in) as endpoint:
            yield endpoint

    @pytest.mark.parametrize(("many", "rooms"), [(10, 4), pytest.param(50, 20, marks=LONG)])
    async def test_histories_never_mix(self, many: int, rooms: int) -> None:
        agents = [await Agent.create(name=f"agent-{number}", tools=[]) for number in range(many)]
        answers: dict[str, str] = {}

        async def ask(agent: int, room: int, text: str, key: str) -> None:
            answers[key] = await agents[agent].ask(text, room=str(room))

        async with asyncio.TaskGroup() as group:
            for agent in range(many):
                for room in range(rooms):
                    marker = marked(agent, room)
                    group.create_task(ask(agent, room, marker, marker))
        assert len(answers) == many * rooms
        assert [key for key, answer in answers.items() if key != answer] == []
        answers.clear()
        async with asyncio.TaskGroup() as group:
            for agent in range(many):
                room = agent % rooms
                group.create_task(ask(agent, room, "again", marked(agent, room)))
        assert [key for key, answer in answers.items() if key != answer] == []
