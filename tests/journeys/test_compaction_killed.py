"""Killed between every two steps of a compaction: one summary, each fact once, paid once."""

from __future__ import annotations

import json
import signal
from asyncio import timeout
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from storage.models import Fact, Reservation, Summary, Usage
from storage.side_models import Compaction, CompactionState, Source
from tests.journeys import record
from tests.journeys.bots import Surroundings, running
from tests.journeys.processes import ended
from tests.patience import PATIENCE
from tests.peers.board import Board
from tests.peers.endpoint import Body, Endpoint

AGENTS = """
[agents.assistant]
model = "gpt-6-luna"
tools = []
window_tokens = 2000
daily_usd = 5.0

[prices."gpt-6-luna"]
input = 1
output = 2
"""
PLACES = [
    "compaction opened",
    "compaction answered, not journalled",
    "compaction journalled, not finished",
    "compaction finished",
]
QUESTIONS = 10  # after which a history is just about to have grown
FACTS = ["Person 0 spoke first.", "Person 0 and person 1 spoke."]


@pytest.fixture
async def board() -> AsyncIterator[Board]:
    async with Board() as board:
        yield board


@pytest.fixture
def asked() -> list[str]:
    return []


@pytest.fixture
async def where(
    tmp_path: Path, board: Board, filled_url: str, asked: list[str]
) -> AsyncIterator[Surroundings]:
    (tmp_path / "agents.toml").write_text(AGENTS)

    def model(body: Body) -> str:
        last = str(body["messages"][-1]["content"])
        if "comes from no person" not in last:
            return "word " * 60
        asked.append(last)
        facts = [{"text": text, "sources": [1, 3]} for text in FACTS]
        return json.dumps({"summary": "People count words.", "facts": facts})

    async with Endpoint(model) as endpoint:
        yield Surroundings(
            folder=tmp_path, board=board.url, endpoint=endpoint.base_url, database=filled_url
        )


async def is_compacted() -> bool:
    """Whether there was a compaction, and it has ended."""
    rows = await Compaction.all()
    return bool(rows) and all(row.ready_at is None for row in rows)


async def check(where: Surroundings, board: Board, questions: list[str]) -> None:
    """A last bot goes on; then there is one of each."""
    async with record.kept(where.database), running(where), timeout(PATIENCE):
        await board.answered(*questions)
        await record.until(is_compacted)
        questions = [*questions, await board.say("C1", "ana", "And now?")]
        await board.answered(*questions)
        [row] = await Compaction.all()
        [summary] = await Summary.all()
        facts = await Fact.all().order_by("id")
        assert row.state is CompactionState.DONE
        assert (summary.text, summary.upto_seq) == ("People count words.", row.upto_seq)
        assert [fact.text for fact in facts] == FACTS
        assert summary.facts == [fact.id for fact in reversed(facts)]
        assert await Source.all().count() == 2 * len(FACTS)
        assert await Usage.filter(purpose="compaction").count() == 1
        await record.until(_nothing_reserved)
    assert [post.reply_to for post in board.posts] == questions


async def _nothing_reserved() -> bool:
    return not await Reservation.exists()


async def talk(board: Board) -> list[str]:
    """What people say, each another one, so that each is answered by itself."""
    texts = [f"{number} {'word ' * 40}" for number in range(QUESTIONS)]
    return [await board.say("C1", f"person {number}", text) for number, text in enumerate(texts)]


@pytest.mark.parametrize(
    "place",  # the first and the last one daily with the others, below
    [
        pytest.param(PLACES[0], marks=pytest.mark.chaos),
        *PLACES[1:-1],
        pytest.param(PLACES[-1], marks=pytest.mark.chaos),
    ],
)
async def test_a_compaction_is_made_once_wherever_it_was_cut(
    where: Surroundings, board: Board, asked: list[str], place: str
) -> None:
    questions = await talk(board)
    assert await ended(where.start(place, 1)) == -signal.SIGKILL
    await check(where, board, questions)
    assert len(asked) == 1 + (place == "compaction answered, not journalled")


async def test_and_wherever_it_was_cut_again_and_again(
    where: Surroundings, board: Board, asked: list[str]
) -> None:
    questions = await talk(board)
    for place in PLACES:
        assert await ended(where.start(place, 1)) == -signal.SIGKILL
    await check(where, board, questions)
    assert len(asked) == 2
