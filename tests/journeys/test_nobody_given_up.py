"""Who dies costs nobody an answer: a poison ends its own turn alone, and kills end none."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.journeys.bots import Surroundings, running
from tests.journeys.ledger import CALLS
from tests.journeys.processes import ended, killed
from tests.patience import PATIENCE
from tests.peers.board import Board, Post
from tests.peers.endpoint import Behaviour, Body, CallTool, Endpoint, Reply

AGENTS = """
[agents.assistant]
model = "gpt-6-luna"
tools = ["tests.journeys.poison:leave", "tests.journeys.poison:crash"]
"""
GIVEN_UP = "I was interrupted three times while answering this"
ROOMS = ["C1", "C2"]


def _model(body: Body) -> str | Behaviour:
    """Takes the poison that it is told to take; else it answers, what was asked first slowly."""
    asked = str(body["messages"][-1]["content"])
    if asked.startswith("take "):
        return CallTool(name=asked.removeprefix("take "), arguments="{}")
    return Reply(text=f"You said: {asked}", pause=0.1 if asked.endswith(" 0") else 0)


@pytest.fixture
async def board() -> AsyncIterator[Board]:
    async with Board() as board:
        yield board


@pytest.fixture
async def where(tmp_path: Path, board: Board, filled_url: str) -> AsyncIterator[Surroundings]:
    (tmp_path / "agents.toml").write_text(AGENTS)
    async with Endpoint(_model) as endpoint:
        yield Surroundings(
            folder=tmp_path, board=board.url, endpoint=endpoint.base_url, database=filled_url
        )


async def ends_by_itself(where: Surroundings) -> int:
    """The exit status of a bot that nobody stops."""
    return await ended(where.start())


def answers(board: Board, *questions: str) -> list[Post]:
    """The messages of the bot that reply to these, as they appeared."""
    return [post for post in board.posts if post.reply_to in questions]


@pytest.mark.parametrize(
    ("poison", "status"),
    [pytest.param("leave", 1, marks=pytest.mark.chaos), ("crash", -signal.SIGSEGV)],
)
async def test_a_poison_ends_its_own_turn_after_three_tries_alone_and_no_other(
    where: Surroundings, board: Board, poison: str, status: int
) -> None:
    deadly = await board.say("C1", "ana", f"take {poison}")
    others = []
    for life in range(5):
        others += [await board.say(room, f"p{life}", f"hello {life}") for room in ROOMS]
        assert await ends_by_itself(where) == status
    async with running(where), asyncio.timeout(PATIENCE):
        await board.answered(deadly, *others)
    [told] = answers(board, deadly)
    assert told.text.startswith(GIVEN_UP)
    assert sorted(post.reply_to or "" for post in answers(board, *others)) == sorted(others)
    assert len((where.folder / CALLS).read_text().splitlines()) == 5


@pytest.mark.parametrize(
    ("calm", "life", "kills"),
    [(2.0, 0.4, 7), pytest.param(2.0, 1.6, 30, marks=pytest.mark.chaos)],
)
async def test_who_is_killed_again_and_again_gives_nobody_up(
    where: Surroundings, board: Board, calm: float, life: float, kills: int
) -> None:
    """Each lives for less than the time in which a process tries no turn alone."""
    doomed = replace(where, calm_seconds=calm)
    questions: dict[str, list[str]] = {room: [] for room in ROOMS}
    for kill in range(kills):
        for room in ROOMS:
            questions[room].append(await board.say(room, "ana", f"message {kill}"))
        bot = doomed.start()
        await asyncio.sleep(life)
        assert await killed(bot) == -signal.SIGKILL
    async with running(where), asyncio.timeout(PATIENCE):
        for room in ROOMS:  # whoever answers it is there already when it is asked to stop
            questions[room].append(await board.say(room, "ana", "the last message"))
        await board.answered(*(asked[-1] for asked in questions.values()))
    assert not [post.text for post in board.posts if not post.text.startswith("You said:")]
    for room, asked in questions.items():
        shown = [post.reply_to or "" for post in board.posts if post.room == f"slack/T1/{room}"]
        assert shown == sorted(set(shown), key=asked.index)
