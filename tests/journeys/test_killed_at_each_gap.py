"""The bot is killed between every two effects; each message is answered once, in order."""

from __future__ import annotations

import asyncio
import json
import re
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from storage.models import Summary
from tests.journeys import record
from tests.journeys.bots import Surroundings, running
from tests.journeys.crowd import noting_slowly
from tests.journeys.ledger import CALLS, EFFECTS
from tests.journeys.processes import ended
from tests.patience import PATIENCE
from tests.peers.board import Board
from tests.peers.endpoint import Behaviour, Body, CallTool, Endpoint, Fail, Reply

AGENTS = """
[agents.assistant]
model = "gpt-6-luna"
instructions = "You keep a ledger."
tools = ["tests.journeys.ledger:note", "remember"]
daily_usd = 5.0

[prices."gpt-6-luna"]
input = 1
output = 2
"""
NOTING = """
[agents.assistant]
model = "gpt-6-luna"
tools = ["tests.journeys.diary:note_slowly"]
"""
SMALL = """
[agents.assistant]
model = "gpt-6-luna"
tools = []
window_tokens = 1000
"""
# Every place at which the program can be killed, and the time of coming there that is meant: daily
# the first one, and the second one of a turn with two model calls.
PLACES = [
    ("received, not stored", 1),
    ("stored, not acknowledged", 1),
    ("claimed", 1),
    ("turn opened", 1),
    ("reserved, not asked", 1),
    ("reserved, not asked", 2),
    ("tool called", 1),
    ("tool finished, not journalled", 1),
    ("step journalled", 1),
    ("post intended", 1),
    ("posted, not recorded", 1),
    ("answer half shown", 1),
    ("answered, not journalled", 1),
    ("answered, not journalled", 2),
    ("turn ended, not delivered", 1),
    ("delivered, not recorded", 1),
    ("delivered", 1),
]
LATER = [
    ("stored, not acknowledged", 3),
    ("step journalled", 2),
    ("answer half shown", 3),
    ("delivered", 2),
]
PRUNED = "batch pruned"  # tests/core/test_upkeep.py kills there: no message is on its way then
GIVEN = "room given back"  # and there
# no message is on its way there either; test_backup.py and test_nightly.py of core/upkeep
BACKED_UP = {"rows backed up", "backup written", "rows restored"}
INDEXED = "messages indexed"  # nor there; tests/core/memory/test_indexing.py
NOTED = "command done, not noted"  # tests/bots/slack/test_threads.py stops there: none is answered
AGAIN = "looked for in vain"  # reached by whoever takes over from somebody who died before a post
EDITED = ("edit stored, not heeded", "questions read again")  # a test of its own edits
# no message is on its way there either; test_compaction_killed.py
COMPACTED = {
    "compaction opened",
    "compaction answered, not journalled",
    "compaction journalled, not finished",
    "compaction finished",
}
CUT = "history cut, model not asked"  # a test of its own has so long a history
ROOT = Path(__file__).parents[2]
REACHED = re.compile(r'kill_points\.reach\("([^"]+)"\)')
AMBIGUOUS = {"tool finished, not journalled"}  # the tool ran, and only its key can tell


def _model(body: Body) -> str | Behaviour:
    """Notes what it is asked to note, once, and repeats what it was asked."""
    asked = [message for message in body["messages"] if message["role"] == "user"][-1]["content"]
    last = body["messages"][-1]
    if asked and "note" in asked and last["role"] == "user":
        return CallTool(name="note", arguments=json.dumps({"item": "milk"}))
    return f"You said: {asked}"


@pytest.fixture
async def board() -> AsyncIterator[Board]:
    async with Board() as board:
        yield board


@pytest.fixture
async def where(tmp_path: Path, board: Board, filled_url: str) -> AsyncIterator[Surroundings]:
    (tmp_path / "agents.toml").write_text(AGENTS)
    async with Endpoint(_model) as endpoint:
        yield Surroundings(
            folder=tmp_path,
            board=board.url,
            endpoint=endpoint.base_url,
            database=filled_url,
        )


@pytest.mark.parametrize(
    ("place", "time"),
    [*PLACES, *(pytest.param(*each, marks=pytest.mark.chaos) for each in LATER)],
)
async def test_every_message_is_answered_once_and_in_order(
    where: Surroundings, board: Board, place: str, time: int
) -> None:
    questions = [
        await board.say("C1", "ana", "please note the milk <1>"),
        await board.say("C1", "bob", "how are you? <2>"),
        await board.say("C1", "ana", "and the weather? <3>"),
    ]
    doomed = where.start(place, time)
    assert await ended(doomed) == -signal.SIGKILL

    async with running(where), asyncio.timeout(PATIENCE):
        await board.answered(*questions)

    assert [post.reply_to for post in board.posts] == questions
    assert [post.text.count("<") for post in board.posts] == [1, 1, 1]
    assert all(post.is_final for post in board.posts)
    calls = (where.folder / CALLS).read_text().splitlines()
    assert len(set(calls)) == 1
    assert len(calls) == 1 + (place in AMBIGUOUS)
    assert len((where.folder / EFFECTS).read_text().splitlines()) == 1


async def test_an_answer_whose_post_was_cut_off_twice_is_posted_once(
    tmp_path: Path, board: Board, filled_url: str
) -> None:
    """A model that refuses shows nothing before the sentence that says so."""
    (tmp_path / "agents.toml").write_text(AGENTS)
    async with Endpoint(lambda _: Fail(status=401)) as endpoint:
        where = Surroundings(
            folder=tmp_path,
            board=board.url,
            endpoint=endpoint.base_url,
            database=filled_url,
        )
        question = await board.say("C1", "ana", "how are you?")
        for place in ("post intended", AGAIN, AGAIN):
            assert await ended(where.start(place, 1)) == -signal.SIGKILL
            assert board.posts == []
        async with running(where), asyncio.timeout(PATIENCE):
            await board.answered(question)
    assert [post.reply_to for post in board.posts] == [question]


async def test_a_history_is_cut_once_whoever_dies_after_it(
    tmp_path: Path, board: Board, filled_url: str
) -> None:
    (tmp_path / "agents.toml").write_text(SMALL)
    async with Endpoint() as endpoint:
        where = Surroundings(
            folder=tmp_path, board=board.url, endpoint=endpoint.base_url, database=filled_url
        )
        asked = [await board.say("C1", f"p{n}", f"{n} " + "word " * 100) for n in range(6)]
        assert await ended(where.start(CUT, 1)) == -signal.SIGKILL
        before = [post.reply_to for post in board.posts]
        assert 0 < len(before) < len(asked)
        async with record.kept(filled_url):
            [cut] = await Summary.all()
            async with running(where), asyncio.timeout(PATIENCE):
                await board.answered(*asked)
            cuts = await Summary.filter(upto_seq=cut.upto_seq)
    assert [post.reply_to for post in board.posts] == asked
    assert len(cuts) == 1


@pytest.mark.parametrize("place", EDITED)
async def test_an_edited_question_is_answered_as_it_is_now(
    tmp_path: Path, board: Board, filled_url: str, place: str
) -> None:
    (tmp_path / "agents.toml").write_text(AGENTS)
    async with Endpoint(_slow_at_first) as endpoint:
        where = Surroundings(
            folder=tmp_path, board=board.url, endpoint=endpoint.base_url, database=filled_url
        )
        doomed = where.start(place, 1)
        question = await board.say("C1", "ana", "Helo")
        async with asyncio.timeout(PATIENCE):
            while not board.posts:  # noqa: ASYNC110  # the bot is another process
                await asyncio.sleep(0.05)
        await board.edit(question, "Hello")
        assert await ended(doomed) == -signal.SIGKILL
        async with running(where), asyncio.timeout(PATIENCE):
            await board.answered(question)
    assert [(post.reply_to, post.text) for post in board.posts] == [(question, "You said: Hello")]


async def test_what_joined_an_answer_is_answered_with_it(
    tmp_path: Path, board: Board, filled_url: str
) -> None:
    (tmp_path / "agents.toml").write_text(NOTING)
    async with Endpoint(noting_slowly) as endpoint:
        where = Surroundings(
            folder=tmp_path, board=board.url, endpoint=endpoint.base_url, database=filled_url
        )
        doomed = where.start("questions read again", 1)
        question = await board.say("C1", "ana", "please note #1")
        async with asyncio.timeout(PATIENCE):
            while not (tmp_path / "diary.txt").exists():  # noqa: ASYNC110  # the tool is at work then
                await asyncio.sleep(0.05)
        await board.say("C1", "ana", "and note #2", below=question)
        assert await ended(doomed) == -signal.SIGKILL
        async with running(where), asyncio.timeout(PATIENCE):
            await board.answered(question)
        async with record.kept(filled_url):
            assert await record.has_joined()
            await record.check()
    assert [post.reply_to for post in board.posts] == [question]


def _slow_at_first(body: Body) -> str | Behaviour:
    """What it says to a question that is going to be edited takes half a minute."""
    asked = body["messages"][-1]["content"]
    return Reply(text="word " * 60, size=5, pause=0.5) if asked == "Helo" else f"You said: {asked}"


def test_every_place_in_the_code_is_one_where_we_kill_and_is_explained() -> None:
    files = [file for room in ("core", "bots") for file in (ROOT / room).rglob("*.py")]
    sources = [file.read_text() for file in files]
    places = {place for source in sources for place in REACHED.findall(source)}
    assert places == {
        AGAIN,
        CUT,
        GIVEN,
        INDEXED,
        NOTED,
        PRUNED,
        *BACKED_UP,
        *EDITED,
        *COMPACTED,
        *(p for p, _ in PLACES),
    }
    explained = (ROOT / "docs" / "architecture.md").read_text()
    assert [place for place in places if place not in explained] == []
