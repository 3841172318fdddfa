"""Killed while one agent waits for another: it is asked once, and both histories are whole."""

from __future__ import annotations

import json
import signal
import sqlite3
from asyncio import timeout
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.journeys.bots import Surroundings, running
from tests.journeys.processes import ended
from tests.patience import PATIENCE
from tests.peers.board import Board
from tests.peers.endpoint import CallTool, Endpoint
from tests.peers.endpoint.behaviours import Behaviour
from tests.peers.endpoint.bodies import Body

AGENTS = """
default_agent = "assistant"

[agents.assistant]
model = "m"
tools = []
colleagues = ["bills"]

[agents.bills]
model = "m"
tools = []
instructions = "You know the bills."
"""
# The colleague's turn is within the asker's: its own points come second, but for its end. Daily
# each kind of half that it can leave: nothing, a question, a turn, an answer, a result.
PLACES = [
    ("tool called", 1),
    ("stored, not acknowledged", 2),
    ("answered, not journalled", 2),
    ("turn ended, not delivered", 1),
    ("tool finished, not journalled", 1),
    *(
        pytest.param(*each, marks=pytest.mark.chaos)
        for each in (
            ("received, not stored", 2),
            ("turn opened", 2),
            ("delivered", 1),
            ("step journalled", 2),
        )
    ),
]
HISTORIES = (
    "SELECT conversation.address, message.text FROM message"
    " JOIN conversation ON conversation.id = message.conversation_id ORDER BY message.id"
)


@pytest.fixture
async def board() -> AsyncIterator[Board]:
    async with Board() as board:
        yield board


def model(body: Body) -> str | Behaviour:
    """Asks the colleague, who says the same each time."""
    messages = body["messages"]
    if messages[0]["content"] == "You know the bills.":
        return "12 dollars."
    if messages[-1]["role"] == "tool":
        return f"We owe {str(messages[-1]['content']).splitlines()[0]}"
    arguments = {"name": "bills", "question": "What do we owe?"}
    return CallTool(name="ask_agent", arguments=json.dumps(arguments))


@pytest.mark.parametrize(("place", "time"), PLACES)
async def test_a_colleague_is_asked_once(
    tmp_path: Path, filled_url: str, board: Board, place: str, time: int
) -> None:
    (tmp_path / "agents.toml").write_text(AGENTS)
    async with Endpoint(model) as endpoint:
        where = Surroundings(
            folder=tmp_path, board=board.url, endpoint=endpoint.base_url, database=filled_url
        )
        question = await board.say("C1", "ana", "How much is it?")
        assert await ended(where.start(place, time)) == -signal.SIGKILL
        async with running(where), timeout(PATIENCE):
            await board.answered(question)
    assert [(post.reply_to, post.text) for post in board.posts] == [
        (question, "We owe 12 dollars.")
    ]
    with closing(sqlite3.connect(filled_url.removeprefix("sqlite://"))) as database:
        said = database.execute(HISTORIES).fetchall()
    (room,) = {address for address, _ in said if address.startswith("python/assistant asks, ")}
    assert [text for address, text in said if address == room] == ["What do we owe?", "12 dollars."]
