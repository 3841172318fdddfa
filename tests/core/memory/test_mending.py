"""core/memory/mending.py: an index that is damaged is made anew, whoever needs it first."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from core.memory.mending import mending
from core.memory.recall import recalled
from core.memory.search import Where
from core.memory.terms import Scope
from storage import passages
from storage.database import Database, open_database
from storage.errors import DatabaseUnusable
from tests.core.given import ROOM, Stage, broken


@pytest.fixture
async def said(filled_url: str) -> Path:
    """A database in which something was said."""
    opened = await open_database(filled_url)
    stage = Stage()
    await stage.say("Falcon flies.")
    await stage.worker().attend((await stage.conversation()).id)
    await opened.close()
    assert opened.file
    return opened.file


def damage(file: Path, statement: str) -> None:
    with closing(sqlite3.connect(file)) as other, other:
        other.execute(statement)


@pytest.fixture
async def opened(said: Path, request: pytest.FixtureRequest) -> AsyncIterator[Database]:
    """It is damaged, and opened again."""
    damage(said, request.param)
    database = await open_database(f"sqlite://{said}")
    yield database
    await database.close()


async def found(stage: Stage, words: str) -> str:
    """What is found again there."""
    where = Where(scope=Scope((await stage.agent()).id, ROOM))
    return await recalled(words, where, tokens=600)


DAMAGE = [
    "DELETE FROM passage_index_data WHERE id > 10",
    "DELETE FROM passage_index_data",
    "DROP TABLE passage_index_data",
    "DROP TABLE passage_index_config",
    "DROP TABLE passage_index_idx",
    "DROP TABLE passage_index",
    "DROP TRIGGER passage_added",
]


@pytest.mark.usefixtures("opened")
@pytest.mark.parametrize("opened", DAMAGE, indirect=True)
async def test_a_search_makes_it_anew() -> None:
    assert "flies" in await found(Stage(), "Falcon")


@pytest.mark.usefixtures("opened")
@pytest.mark.parametrize("opened", DAMAGE, indirect=True)
async def test_a_turn_ends_all_the_same() -> None:
    stage = Stage(said=1)
    await stage.say("Otters swim.")
    await stage.worker().attend((await stage.conversation()).id)
    assert len(stage.platform.posts) == 1
    assert "swim" in await found(stage, "otters")


@pytest.mark.usefixtures("opened")
@pytest.mark.parametrize(
    "opened",
    ["UPDATE passage_index_data SET block = x'00000000000000' WHERE id = 10"],
    indirect=True,
)
async def test_one_that_finds_nothing_is_noticed(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    assert await passages.mend()
    assert not await passages.mend()
    assert [record.message for record in caplog.records].count("index of words made") == 1
    assert "flies" in await found(Stage(), "Falcon")


async def test_what_else_is_wrong_is_raised(said: Path) -> None:
    database = await open_database(f"sqlite://{said}")
    try:
        with broken(said), pytest.raises(DatabaseUnusable):
            await mending(lambda: Stage().conversation())
    finally:
        await database.close()
