"""core/memory/indexing.py: histories from before are indexed in small steps, whoever dies."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from core import clock, kill_points
from core.memory.indexing import Indexing, index_next
from core.memory.recall import recalled
from core.memory.search import Where
from core.memory.terms import Scope
from core.upkeep import backup
from storage import agents, conversations, cursors, passages, summaries
from storage.database import Database, open_database
from storage.derived import Passage
from storage.models import Conversation, Cursor, Message, MessageRole, Turn, TurnState
from storage.passages import Indexed, IndexedTurn
from tests.core.given import Stage, broken
from tests.patience import PATIENCE
from tests.peers.model import Then
from tests.storage import processes, sql

AGO = timedelta(hours=1)
LOOK = """
import asyncio, os, signal, sys
from core import clock, kill_points
from core.memory.indexing import Indexing
from storage.database import open_database

url, then = sys.argv[1:]

def arrive(place):
    print(place, flush=True)
    if then == "dies":
        os.kill(os.getpid(), signal.SIGKILL)

async def main():
    database = await open_database(url)
    kill_points.watch(arrive)
    sys.stdin.readline()
    print(await Indexing(database, clock.now).look(asyncio.Event()))
    await database.close()

asyncio.run(main())
"""


async def history(turns: int = 500, *, at: str = "slack/T1/C1") -> int:
    """What an earlier version stored: two messages a turn, and a notice at the end; its id."""
    said_at = clock.now() - AGO
    agent = await agents.record(name="Ada", revision="r", config={}, now=said_at)
    where = await conversations.find_or_open(
        agent_id=agent.id, address=at, queue="slack", author="Ana", now=said_at
    )
    for number in range(1, turns + 1):
        turn = await Turn.create(
            conversation_id=where.id,
            number=number,
            state=TurnState.DONE,
            revision="r",
            opened_at=said_at,
            ended_at=said_at,
        )
        told = [(MessageRole.USER, "Ana", f"otter{number}"), (MessageRole.ASSISTANT, "Ada", "Yes.")]
        if number == turns:
            told[1] = (MessageRole.NOTICE, "Ada", "I could not answer otter0.")
        for part, (role, author, text) in enumerate(told):
            await Message.create(
                conversation_id=where.id,
                seq=2 * number - 1 + part,
                role=role,
                author=author,
                text=text,
                tokens=1,
                turn_id=turn.id,
                said_at=said_at,
            )
    await Conversation.filter(id=where.id).update(last_seq=2 * turns)
    return where.id


async def look(database: Database) -> int:
    return await Indexing(database, clock.now).look(asyncio.Event())


async def found(word: str, at: str = "slack/T1/C1") -> str:
    agent = await agents.by_name("Ada")
    assert agent
    return await recalled(word, Where(scope=Scope(agent.id, at)), tokens=200)


async def test_what_was_said_before_is_found_afterwards(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="core.memory")
    await history(250)
    assert await found("otter7") == ""
    assert await look(database) == 500
    assert "otter7" in await found("otter7")
    assert await found("otter0") == "", "a notice is not found"
    assert [record.message for record in caplog.records] == ["history indexed"]
    assert await look(database) == 0
    assert await Passage.all().count() == 499


async def test_what_is_there_is_not_made_twice(database: Database) -> None:
    await history(5)
    await index_next(0)
    before = await Passage.all().count()
    await cursors.see(passages.INDEXED, "0", clock.now())
    await look(database)
    assert await Passage.all().count() == before


async def test_what_another_version_stored_is_indexed_at_the_next_look(database: Database) -> None:
    await history(3)
    await look(database)
    await history(3, at="slack/T1/C2")
    await look(database)
    assert "otter2" in await found("otter2", "slack/T1/C2")


async def test_what_was_said_just_now_is_left_to_its_turn(database: Database) -> None:
    await history(2)
    await Turn.filter(number=2).update(ended_at=clock.now())
    await look(database)
    assert await Message.all().count() == 4
    assert {each.seq for each in await Passage.all()} == {1, 2}


async def test_what_was_deleted_meanwhile_is_left_out(database: Database) -> None:
    where = await history(1)
    [turn] = await Turn.all()
    await Message.all().delete()
    assert await passages.index([read_before(where, turn.id)])
    assert await Passage.all().count() == 0


async def test_what_others_can_read_meanwhile_is_read_again(database: Database) -> None:
    """Its words carry their scope, which may be another one now."""
    where = await history(1, at="discord/1/2/3")
    [turn] = await Turn.all()
    await conversations.show_to("everybody", conversation_id=where)
    assert not await passages.index([read_before(where, turn.id)])
    assert await Passage.all().count() == 0
    await look(database)
    assert "otter1" in await found("otter1", "discord/1/2")


def read_before(where: int, turn_id: int) -> IndexedTurn:
    said = Indexed(seq=1, part=0, author="Ana", words="otter")
    return IndexedTurn(conversation_id=where, turn_id=turn_id, readers="", found=[said])


async def test_who_is_begun_anew_while_it_goes_on_is_not_passed_over(sqlite: Database) -> None:
    """Another process lets others read what was indexed already."""
    await history(150)
    await history(150, at="discord/1/2/3")
    where = (await Conversation.all().order_by("-id"))[0].id
    await look(sqlite)
    await Cursor.all().update(position="400")
    arrived: list[str] = []

    def arrive(place: str) -> None:
        if not arrived and sqlite.file:
            with closing(sqlite3.connect(sqlite.file)) as other, other:
                other.execute("UPDATE conversation SET readers = 'everybody' WHERE id = ?", [where])
                other.execute("DELETE FROM passage WHERE conversation_id = ?", [where])
                other.execute("UPDATE cursor SET position = '300' WHERE name = 'search index'")
        arrived.append(place)

    kill_points.watch(arrive)
    try:
        await look(sqlite)
    finally:
        kill_points.watch(lambda _: None)
    assert await Passage.all().count() == 2 * 299
    assert "otter1" in await found("otter1", "discord/1/2")


async def test_what_has_other_readers_is_indexed_again_from_its_first_message(
    database: Database,
) -> None:
    await history(3)
    await history(3, at="discord/1/2/3")
    where = (await Conversation.all().order_by("-id"))[0].id
    await look(database)
    first = await Message.filter(conversation_id=where).order_by("id").first()
    assert first
    await conversations.show_to("everybody", conversation_id=where)
    assert await cursors.last_seen(passages.INDEXED) == str(first.id - 1)
    assert await look(database) == 6
    await look(database)
    assert await Passage.all().count() == 10


async def test_where_nothing_can_be_found_all_is_looked_at_once(database: Database) -> None:
    """A notice, or what lies before a reset."""
    await history(1)
    await Message.all().update(role=MessageRole.NOTICE)
    indexing = Indexing(database, clock.now)
    assert await indexing.look(asyncio.Event()) == 2
    assert await indexing.look(asyncio.Event()) == 0


async def test_an_address_that_it_cannot_read_takes_nothing_else_down(
    sqlite: Database, caplog: pytest.LogCaptureFixture
) -> None:
    await history(1)
    await Conversation.all().update(address="irc/what")
    stop = asyncio.Event()
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        group.create_task(Indexing(sqlite, clock.now).run(stop))
        while not caplog.records:  # noqa: ASYNC110  # nobody tells
            await asyncio.sleep(0.01)
        stop.set()
    assert caplog.records[0].message == "indexing is put off"


async def test_nothing_before_a_reset_is_indexed_and_what_was_goes(database: Database) -> None:
    where = await history(120)
    await look(database)
    await summaries.reset(where, facts=[], now=clock.now())
    await look(database)
    assert await Passage.all().count() == 0
    await Cursor.all().delete()
    await look(database)
    assert await Passage.all().count() == 0


async def test_a_killed_process_leaves_the_rest_to_the_next_one(
    database: Database, url: str
) -> None:
    await history(500)
    other = await processes.start(LOOK, url, "dies")
    other.stdin.write(b"now\n")
    assert (await other.ended()).code == -9
    assert 0 < await Passage.all().count() < 500
    async with asyncio.timeout(PATIENCE):
        while not await look(database):  # noqa: ASYNC110  # nobody tells
            await asyncio.sleep(0.05)  # until the server knows that its session is gone
    assert await Passage.all().count() == 999


async def test_of_many_processes_one_does_it(database: Database, url: str) -> None:
    await history(300)
    others = [await processes.start(LOOK, url, "goes on") for _ in range(3)]
    for other in others:
        other.stdin.write(b"now\n")
    ended = [await other.ended() for other in others]
    assert [each.err for each in ended if each.err] == []
    assert sum(int(each.out.split()[-1]) for each in ended) == 600
    assert await Passage.all().count() == 599


async def test_it_stops_when_it_is_told(database: Database) -> None:
    await history(300)
    stop = asyncio.Event()
    kill_points.watch(lambda _: stop.set())
    try:
        assert await Indexing(database, clock.now).look(stop) == 200
    finally:
        kill_points.watch(lambda _: None)


async def test_a_database_that_fails_is_looked_at_later(
    sqlite: Database, caplog: pytest.LogCaptureFixture
) -> None:
    stop = asyncio.Event()
    indexing = Indexing(sqlite, clock.now)
    with broken(sqlite.file):
        async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
            await history_is_there(sqlite)
            running = group.create_task(indexing.run(stop))
            while not caplog.records:  # noqa: ASYNC110  # nobody tells
                await asyncio.sleep(0.01)
            stop.set()
            await running
    assert caplog.records[0].message == "indexing is put off"


async def history_is_there(database: Database) -> None:
    """A message of a conversation that cannot be read."""
    await sql.rows(
        database,
        "INSERT INTO message (conversation_id, seq, role, author, text, tokens, turn_id, said_at)"
        " VALUES (1, 1, 'user', 'Ana', 'otter', 1, 1, '2026-03-01 00:00:00')",
    )


async def test_a_restored_backup_can_be_searched(
    database: Database, tmp_path: Path, filled_url: str
) -> None:
    await history(3)
    await look(database)
    await backup.write(database, tmp_path / "b.jsonl", clock.now(), lambda _: None)
    await database.close()
    other = await open_database(f"sqlite://{tmp_path}/other.db")
    try:
        await backup.restore(other, tmp_path / "b.jsonl", clock.now(), lambda _: None)
        assert await found("otter2") == ""
        await look(other)
        assert "otter2" in await found("otter2")
    finally:
        await other.close()


async def test_what_turns_out_to_be_open_while_it_is_answered_is_found_in_its_channel(
    sqlite: Database,
) -> None:
    """The turn was begun while only its thread could read it."""
    stage, thread = Stage(), "discord/1/2/3"
    stage.adapters = {"discord": stage.platform}
    said = await stage.say("Falcon flies.", room=thread)
    stage.model.script((Then.PAUSE, "Noted."))
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        group.create_task(stage.worker().attend(said.conversation_id))
        await stage.model.paused.acquire()
        await conversations.show_to("everybody", conversation_id=said.conversation_id)
        stage.model.resume()
    await look(sqlite)
    assert (await stage.history(thread))[0] == ("ana", "Falcon flies.")
    where = Where(scope=Scope((await stage.agent()).id, "discord/1/2"))
    assert "flies" in await recalled("falcon", where, tokens=200)
