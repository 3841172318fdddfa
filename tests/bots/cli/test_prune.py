"""`moorings prune`: what it says, deletes, and leaves."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from core.upkeep.schedule import LOCK
from storage.database import open_database
from tests.bots.program import Program
from tests.forked import Ended
from tests.patience import PATIENCE
from tests.storage.given import filled_and_emptied


@pytest.fixture
def old(told: Program) -> Program:
    """The program, which was told something a hundred days ago."""
    with closing(sqlite3.connect(told.folder / "moorings.db")) as database, database:
        database.execute("UPDATE turn SET ended_at = datetime(ended_at, '-100 days')")
    return told


def rows(folder: Path) -> int:
    """How many messages there are."""
    with closing(sqlite3.connect(folder / "moorings.db")) as database:
        return int(database.execute("SELECT count(*) FROM message").fetchone()[0])


def table(ended: Ended) -> dict[str, str]:
    """What was printed, without the headings."""
    assert ended.code == 0, ended.err
    return dict(line.split("\t") for line in ended.out.splitlines()[1:])


WHOLE = {
    "turns": "1",
    "messages of histories": "2",
    "steps": "1",
    "messages received": "1",
    "messages sent": "1",
    "model calls": "1",
    "opinions": "0",
    "summaries": "0",
}


async def test_what_is_older_is_deleted(old: Program) -> None:
    ended = await old.run("prune", "--older-than", "90d")
    assert ended.out.startswith("KIND\tDELETED\n")
    assert table(ended) == WHOLE
    assert ended.err == ""
    assert rows(old.folder) == 0


async def test_what_is_younger_stays(old: Program) -> None:
    ended = await old.run("prune", "--older-than", "15w")
    assert set(table(ended).values()) == {"0"}
    assert rows(old.folder) == 2


async def test_a_dry_run_says_what_would_be_deleted_and_deletes_nothing(old: Program) -> None:
    for _ in range(2):
        ended = await old.run("prune", "--older-than", "90d", "--dry-run")
        assert ended.out.startswith("KIND\tWOULD BE DELETED\n")
        assert table(ended) == WHOLE
    assert rows(old.folder) == 2


async def test_without_an_age_the_setting_holds(old: Program) -> None:
    old.set(MOORINGS_RETENTION_DAYS="99")
    assert table(await old.run("prune"))["turns"] == "1"


async def test_the_age_wins_over_the_setting(old: Program) -> None:
    old.set(MOORINGS_RETENTION_DAYS="9")
    assert table(await old.run("prune", "--older-than", "101d"))["turns"] == "0"


@pytest.mark.usefixtures("never_ran")
async def test_without_both_it_says_what_to_give(program: Program) -> None:
    ended = await program.run("prune")
    assert ended.code == 2
    assert ended.out == ""
    assert "--older-than 90d" in ended.err
    assert "MOORINGS_RETENTION_DAYS" in ended.err
    assert not (program.folder / "moorings.db").exists()


@pytest.mark.parametrize("age", ["", "90", "d", "90x", "-1d", "1d12h", "9" * 400 + "d", "inf d"])
async def test_what_is_no_age_is_refused(program: Program, age: str) -> None:
    ended = await program.run("prune", f"--older-than={age}")
    assert ended.code == 2
    assert ended.err.startswith("moorings: --older-than")
    assert ended.err.count("\n") == 1


async def test_of_what_ended_just_now_the_words_go(told: Program) -> None:
    ended = await told.run("prune", "--older-than", "0h")
    assert table(ended)["messages of histories"] == "2"
    assert "within 9 days only the words go" in ended.err
    assert rows(told.folder) == 0
    again = await told.run("ask", "assistant", "What is my boat called?")
    assert "Mira" not in again.out
    assert again.code == 0


async def test_it_waits_for_the_upkeep_of_a_bot(old: Program) -> None:
    database = await open_database(f"sqlite://{old.folder}/moorings.db")
    async with database.only_one(LOCK):
        process = await old.start("prune", "--older-than", "90d")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await process.wait()
        assert rows(old.folder) == 2
    async with asyncio.timeout(PATIENCE):
        assert await process.wait() == 0
    await database.close()
    assert rows(old.folder) == 0


async def test_progress_is_shown_at_a_terminal(old: Program) -> None:
    async with old.at_a_terminal("prune", "--older-than", "90d") as terminal:
        await terminal.shows("Deleting … 1 turns")
        await terminal.shows("DELETED")
        assert await terminal.ended() == 0


async def test_a_conversation_of_which_nothing_is_kept_is_listed(old: Program) -> None:
    await old.run("prune", "--older-than", "90d")
    listed = await old.run("conversations")
    assert listed.out.splitlines()[1] == "assistant\tterminal/main\t2\tno longer kept"


async def emptied(program: Program) -> None:
    """Three megabytes of the file are free."""
    database = await open_database(f"sqlite://{program.folder}/moorings.db")
    await filled_and_emptied(database, megabytes=3)
    await database.close()


async def test_what_was_freed_is_given_back_to_the_disk(program: Program) -> None:
    await emptied(program)
    file = program.folder / "moorings.db"
    before = file.stat().st_size
    ended = await program.run("prune", "--older-than", "90d")
    assert ended.err == "3.1 MB were given back to the disk.\n"
    assert before - file.stat().st_size > 3_000_000


async def test_of_an_older_file_it_says_how_to_make_it_smaller(program: Program) -> None:
    file = program.folder / "moorings.db"
    with closing(sqlite3.connect(file)) as database:
        database.executescript("PRAGMA journal_mode = DELETE; PRAGMA auto_vacuum = NONE; VACUUM")
    await emptied(program)
    before = file.stat().st_size
    ended = await program.run("prune", "--older-than", "90d")
    assert ended.err.startswith("3.1 MB of the file are free and will be used again. ")
    statements = ended.err.split("'")[1]
    assert file.stat().st_size == before
    with closing(sqlite3.connect(file)) as database:
        database.executescript(statements)
    assert before - file.stat().st_size > 3_000_000
    assert (await program.run("prune", "--older-than", "90d")).err == ""


@pytest.mark.parametrize(
    ("url", "how"), [("postgres", "VACUUM FULL"), ("mysql", "OPTIMIZE TABLE")], indirect=["url"]
)
async def test_of_a_server_it_says_what_is_left_to_do(program: Program, url: str, how: str) -> None:
    program.set(DATABASE_URL=url)
    assert (await program.run("prune", "--older-than", "0h")).err.count(how) == 0
    await program.run("ask", "assistant", "My boat is called Mira.")
    ended = await program.run("prune", "--older-than", "0h")
    assert table(ended)["messages of histories"] == "2"
    assert how in ended.err
