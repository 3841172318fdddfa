"""Killed between a call and its result, where the endpoint wants back exactly what it wrote."""

from __future__ import annotations

import signal
from asyncio import timeout
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.journeys.bots import Surroundings, running
from tests.journeys.ledger import CALLS, EFFECTS
from tests.journeys.processes import ended
from tests.peers.board import Board
from tests.peers.dialects import DIALECTS, Dialect
from tests.peers.endpoint import Endpoint

AGENTS = """
[agents.assistant]
model = "m"
api = "{}"
instructions = "You tell the time."
tools = ["tests.journeys.ledger:clock"]
"""
WANTS_IT_BACK = (
    "Gemini 3: the thought signature of a call comes back with it",
    "DeepSeek thinking: the reasoning of a turn with calls comes back",
    "OpenAI: an encrypted reasoning item comes back with the call",
)
STRICT = [each for each in DIALECTS if each.name in WANTS_IT_BACK]
# Daily where the call alone is on record, and where its result is, too.
PLACES = [
    "tool called",
    pytest.param("tool finished, not journalled", marks=pytest.mark.chaos),
    "step journalled",
]


@pytest.fixture
async def board() -> AsyncIterator[Board]:
    async with Board() as board:
        yield board


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("dialect", STRICT, ids=lambda each: each.name)
async def test_the_next_process_gives_it_back_and_the_answer_is_one(
    tmp_path: Path, filled_url: str, board: Board, dialect: Dialect, place: str
) -> None:
    (tmp_path / "agents.toml").write_text(AGENTS.format(dialect.api))
    async with Endpoint() as endpoint:
        endpoint.play(dialect)
        where = Surroundings(
            folder=tmp_path,
            board=board.url,
            endpoint=endpoint.base_url,
            database=filled_url,
        )
        question = await board.say("C1", "ana", "What time is it?")
        assert await ended(where.start(place, 1)) == -signal.SIGKILL

        async with running(where), timeout(60):
            await board.answered(question)
    answers = [dialect.answer(body) for body in endpoint.requests]
    assert dialect.plays[-1].answer in answers
    assert dialect.lacking not in answers
    assert [(post.reply_to, post.text) for post in board.posts] == [
        (question, dialect.expects.text)
    ]
    calls = (tmp_path / CALLS).read_text().splitlines()
    assert len(set(calls)) == 1
    assert len((tmp_path / EFFECTS).read_text().splitlines()) == 1


def test_there_are_such_dialects() -> None:
    assert len(STRICT) == len(WANTS_IT_BACK)
