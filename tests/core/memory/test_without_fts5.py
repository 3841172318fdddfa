"""A SQLite without FTS5: all else works, and who asks for what was said is told why not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from core import clock
from core.memory.indexing import Indexing
from core.tools import ToolContext
from core.tools.history import history
from storage.database import Database, open_database
from storage.derived import Passage
from storage.drivers import fulltext
from tests.core.given import ROOM, Stage
from tests.patience import PATIENCE
from tests.storage import sql

THREAD = f"{ROOM}/7"


@pytest.fixture
async def without(filled_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Database]:
    """A file that another SQLite made, opened with one that cannot read its index."""
    other = await open_database(filled_url)
    await sql.rows(other, "DROP TABLE passage_index")
    await other.close()
    monkeypatch.setattr(fulltext, "OPTION", "ENABLE_FTS_OF_NOBODY")
    opened = await open_database(filled_url)
    yield opened
    await opened.close()


@pytest.mark.usefixtures("without")
async def test_questions_are_answered_and_nothing_is_looked_for(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.clear()
    stage = Stage()
    for room, text in ((ROOM, "Falcon flies."), (THREAD, "What does Falcon do?")):
        await stage.say(text, room=room)
        await stage.worker().attend((await stage.conversation(room)).id)
    assert len(stage.platform.posts) == 2
    assert stage.model.questions[-1] == "What does Falcon do?"
    assert [record.message for record in caplog.records if record.levelname != "INFO"] == []


@pytest.mark.usefixtures("without")
async def test_who_searches_is_told_in_a_sentence(context: ToolContext) -> None:
    assert await history(context, "falcon") == (
        "What was said before cannot be searched here: the database has no index of words."
    )


async def test_it_is_said_once_at_the_start(
    without: Database, caplog: pytest.LogCaptureFixture
) -> None:
    async with asyncio.timeout(PATIENCE):
        await Indexing(without, clock.now).run(asyncio.Event())
    assert [record.message for record in caplog.get_records("setup")] == [
        "no index of words: nothing is found again"
    ]
    assert caplog.records == []


async def test_with_a_whole_sqlite_all_is_found_again(
    without: Database, filled_url: str, monkeypatch: pytest.MonkeyPatch, context: ToolContext
) -> None:
    stage = Stage()
    await stage.say("Falcon flies.")
    await stage.worker().attend((await stage.conversation()).id)
    assert await Passage.all().count() == 2
    await without.close()
    monkeypatch.setattr(fulltext, "OPTION", "ENABLE_FTS5")
    again = await open_database(filled_url)
    try:
        assert "Falcon flies" in await history(context, "falcon")
    finally:
        await again.close()
