"""What one agent asks another, as `colleagues` lets it."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from core import Agent
from core.api.process import opened
from core.config.agents_file import read
from core.errors import ConfigMistake, ToolError
from core.tools import Tool, ToolContext
from core.turn.colleagues import Colleagues
from core.turn.python_caller import CallerAdapter
from storage.models import Conversation, InboxMessage, Step, Turn
from tests.core.messaging.test_access import Known
from tests.peers.endpoint import CallTool, Endpoint, Fail, Reply
from tests.peers.endpoint.behaviours import Behaviour


def asks(name: str, question: str) -> CallTool:
    """The call of the tool."""
    return CallTool(name="ask_agent", arguments=json.dumps({"name": name, "question": question}))


CHAIN = """
[agents.Ada]
tools = []
colleagues = ["Ben"]
[agents.Ben]
tools = []
colleagues = ["Cleo"]
[agents.Cleo.access]
deny = ["slack/U1"]
"""


pytestmark = pytest.mark.usefixtures("environment")


@pytest.fixture
def chain(tmp_path: Path) -> None:
    """Ada may ask Ben, and Ben Cleo, whom Ana may not ask."""
    (tmp_path / "agents.toml").write_text(CHAIN)


@pytest.fixture
async def ada() -> Agent:
    """She may ask Ben."""
    await Agent.create(name="Ben", instructions="You know the bills.", tools=[])
    return await Agent.create(name="Ada", tools=[], colleagues=["Ben"])


async def tool() -> Tool:
    """As Ada has it."""
    runtime = await opened()
    known = await runtime.directory.get("Ada")
    worker = runtime.worker({"python": CallerAdapter()})
    return Colleagues(runtime.intake, lambda: worker).tool(known.spec)


async def test_a_colleague_answers_from_its_own_instructions(
    ada: Agent, endpoint: Endpoint
) -> None:
    endpoint.script(
        asks("Ben", "What do we owe?"), Reply(text="12 dollars."), Reply(text="We owe 12.")
    )
    assert await ada.ask("What do we owe?") == "We owe 12."
    asked = endpoint.requests[1]["messages"]
    assert [each["content"] for each in asked] == ["You know the bills.", "What do we owe?"]
    told = endpoint.requests[2]["messages"][-1]["content"]
    turn = await Turn.all().order_by("-id").first()
    assert turn
    assert told == f"12 dollars.\n\n(Ben, turn {turn.id})"


async def test_the_question_has_a_history_of_the_two_at_that_place(
    ada: Agent, endpoint: Endpoint
) -> None:
    for room, owed in (("one", "1"), ("one", "2"), ("two", "3")):
        endpoint.script(asks("Ben", f"question {owed}"), Reply(text=owed), Reply(text="Done."))
        await ada.ask("And now?", room=room)
    addresses = await Conversation.all().order_by("id").values_list("address", "last_seq")
    assert [last for path, last in addresses if str(path).startswith("python/Ada asks, ")] == [4, 2]


async def test_a_call_that_is_made_again_asks_once(
    ada: Agent, endpoint: Endpoint, context: ToolContext
) -> None:
    asking = await tool()
    arguments = {"name": "Ben", "question": "What do we owe?"}
    first = await asking.run(arguments, context)
    assert await asking.run(arguments, context) == first
    assert len(endpoint.requests) == await InboxMessage.all().count() == 1


async def test_who_waits_is_not_asked(ada: Agent, endpoint: Endpoint) -> None:
    await Agent.create(name="Ben", tools=[], colleagues=["Ada"])
    endpoint.script(
        asks("Ben", "?"), asks("Ada", "??"), Reply(text="I do not know."), Reply(text="Done.")
    )
    assert await ada.ask("Hello") == "Done."
    refused = endpoint.requests[2]["messages"][-1]["content"]
    assert "Ada waits for this answer itself" in str(refused)


@pytest.mark.usefixtures("chain")
async def test_a_colleague_asks_for_the_person_who_asked_first(
    endpoint: Endpoint, context: ToolContext
) -> None:
    """What a person may not ask an agent, its colleagues' colleagues do not ask for them."""
    (await opened()).gate.join("slack", Known())
    asking = await tool()
    endpoint.script(asks("Cleo", "?"), Reply(text="I may not ask."))
    await asking.run({"name": "Ben", "question": "?"}, context)
    assert len(endpoint.requests) == 2
    assert "ask Cleo" in str(endpoint.requests[1]["messages"][-1]["content"])


async def test_only_so_many_agents_wait_for_each_other(endpoint: Endpoint) -> None:
    names = ["a", "b", "c", "d", "e"]
    for name, colleague in pairwise(names):
        await Agent.create(name=name, tools=[], colleagues=[colleague])
    first = await Agent.create(name="a", tools=[], colleagues=["b"])
    await Agent.create(name="e", tools=[])
    calls: list[Behaviour] = [asks(name, "?") for name in names[1:]]
    endpoint.script(*calls, *[Reply(text="Done.")] * 4)
    assert await first.ask("Hello") == "Done."
    assert "too many agents wait" in str(endpoint.requests[4]["messages"][-1]["content"])


async def test_an_answer_asks_only_so_often(ada: Agent, context: ToolContext) -> None:
    """Whichever process asked before: the journal counts."""
    asking, arguments = await tool(), {"name": "Ben", "question": "One more"}
    assert await asking.run(arguments, replace(context, called=("clock", *["ask_agent"] * 7)))
    with pytest.raises(ToolError, match="8 times"):
        await asking.run(arguments, replace(context, called=("ask_agent",) * 8))


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"name": "Cleo", "question": "?"}, "there is no colleague 'Cleo'; there are: Ben"),
        ({"name": ["Ben"], "question": "?"}, "there is no colleague"),
        ({"name": "Ben", "question": " "}, "say the question"),
        ({"name": "Ben", "question": 7}, "say the question"),
    ],
)
async def test_what_makes_no_sense_is_told_to_the_model(
    ada: Agent, context: ToolContext, arguments: dict[str, object], why: str
) -> None:
    asking = await tool()
    with pytest.raises(ToolError, match=why):
        await asking.run(arguments, context)


async def test_a_colleague_that_fails_is_told_as_a_failure(
    ada: Agent, endpoint: Endpoint, context: ToolContext
) -> None:
    asking = await tool()
    endpoint.script(*[Fail(status=401)] * 3)
    with pytest.raises(ToolError, match="Ben has no answer"):
        await asking.run({"name": "Ben", "question": "?"}, context)


async def test_a_colleague_that_is_gone_is_told(context: ToolContext) -> None:
    await Agent.create(name="Ada", tools=[], colleagues=["Ben"])
    asking = await tool()
    with pytest.raises(ToolError, match="There is no agent 'Ben'"):
        await asking.run({"name": "Ben", "question": "?"}, context)


async def test_without_colleagues_there_is_no_such_tool(endpoint: Endpoint) -> None:
    agent = await Agent.create(name="Ada", tools=[])
    await agent.ask("Hello")
    assert "tools" not in endpoint.requests[0]
    assert not await Step.filter(kind="tool").exists()


def test_the_agents_file_names_colleagues_that_there_are(tmp_path: Path) -> None:
    path = tmp_path / "agents.toml"
    path.write_text('[agents.ada]\ncolleagues = ["ben"]\n[agents.ben]\n')
    assert read(path).agents["ada"].colleagues == ("ben",)
    path.write_text('[agents.ada]\ncolleagues = ["bem"]\n[agents.ben]\n')
    with pytest.raises(
        ConfigMistake, match=r"2: agents\.ada\.colleagues.* there is no agent 'bem'"
    ):
        read(path)
