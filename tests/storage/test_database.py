"""Opening a database in every state that one is found in."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime
from pathlib import Path

import pytest

from storage import agents, inbox
from storage.database import Database, open_database
from storage.errors import DatabaseBusy, DatabaseUnusable, StorageError
from tests import conftest
from tests.databases import Server
from tests.forked import ROOT, Life, cold
from tests.storage import given, processes, sql

LOCK = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
sys.stdin.read()
"""
OPEN = """
import asyncio, sys
from storage.database import open_database
from storage.errors import StorageError

async def main():
    try:
        await (await open_database(sys.argv[1])).close()
    except StorageError as error:
        print(type(error).__name__, error)

asyncio.run(main())
"""
# As nobody, who may not read what root has installed: everything is imported before.
OPEN_AS_NOBODY = """
import asyncio, os, sys
from storage.database import open_database
from storage.errors import StorageError

async def main():
    await (await open_database(sys.argv[2])).close()
    if os.getuid() == 0:
        os.setuid(65534)
    try:
        await (await open_database(sys.argv[1])).close()
    except StorageError as error:
        print(type(error).__name__, error)

asyncio.run(main())
"""


async def _refusal(url: str) -> StorageError:
    with pytest.raises(StorageError) as refused:
        await open_database(url)
    return refused.value


@asynccontextmanager
async def _locked(file: Path) -> AsyncIterator[None]:
    """The file, while another process writes to it and does not finish."""
    process = await processes.start(LOCK, str(file))
    assert await process.stdout.readline() == b"locked\n"
    yield
    await process.ended()


@contextmanager
def _read_only(folder: Path) -> Iterator[None]:
    """The folder and its files, while they may be read and not written."""
    for file in folder.iterdir():
        file.chmod(0o444)
    folder.chmod(0o555)
    yield
    folder.chmod(0o755)


@pytest.fixture
def open_to_all() -> Iterator[Path]:
    """A folder that other users can reach."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
async def history(sqlite: Database, now: datetime) -> list[str]:
    """The keys of enough messages to fill some pages of the file."""
    where = await given.conversation(now)
    keys = [f"k{number}" for number in range(40)]
    for key in keys:
        await given.received(where, key + "." * 150, now)
    await sqlite.close()
    return keys


async def test_a_new_file_is_made_and_ready(sqlite: Database, now: datetime) -> None:
    assert sqlite.file
    assert sqlite.file.exists()
    assert await given.received(await given.conversation(now), "k1", now)


async def test_a_database_opened_again_has_what_was_written(url: str, now: datetime) -> None:
    first = await open_database(url)
    await given.received(await given.conversation(now), "k1", now)
    await first.close()
    second = await open_database(url)
    assert await inbox.by_key("k1")
    await second.close()


async def test_a_database_can_be_closed_twice(sqlite: Database) -> None:
    await sqlite.close()
    await sqlite.close()


async def test_a_server_is_no_file(database: Database) -> None:
    assert bool(database.file) == (database.url.dialect == "sqlite")


async def test_power_loss_costs_no_answered_message(sqlite: Database) -> None:
    assert await sql.rows(sqlite, "PRAGMA synchronous") == [{"synchronous": 2}]
    assert await sql.rows(sqlite, "PRAGMA journal_mode") == [{"journal_mode": "wal"}]


async def test_a_file_in_a_missing_folder_is_refused(tmp_path: Path) -> None:
    error = await _refusal(f"sqlite://{tmp_path}/missing/moorings.db")
    assert isinstance(error, DatabaseUnusable)
    assert "mount its volume" in str(error)


async def test_a_folder_in_place_of_a_file_is_refused(tmp_path: Path) -> None:
    error = await _refusal(f"sqlite://{tmp_path}")
    assert "has to name a file" in str(error)


@pytest.mark.parametrize("content", [b"dear diary\n" * 500, os.urandom(8192)])
async def test_a_file_that_is_no_database_is_refused_and_left_as_it_is(
    tmp_path: Path, content: bytes
) -> None:
    file = tmp_path / "moorings.db"
    file.write_bytes(content)
    error = await _refusal(f"sqlite://{file}")
    assert "restore a backup" in str(error)
    assert file.read_bytes() == content


@pytest.mark.usefixtures("history")
async def test_a_damaged_database_says_so(sqlite_url: str, now: datetime) -> None:
    _damage(Path(sqlite_url.removeprefix("sqlite://")))
    with pytest.raises(DatabaseUnusable, match="restore a backup"):
        await _opened_and_used(sqlite_url, now)


def _damage(file: Path) -> None:
    """Overwrite every page but the first."""
    with file.open("r+b") as content:
        content.seek(4096)
        content.write(b"\xff" * (file.stat().st_size - 4096))


async def _opened_and_used(url: str, now: datetime) -> None:
    database = await open_database(url)
    try:
        await given.received(await given.conversation(now), "k1", now)
    finally:
        await database.close()


async def test_a_file_that_cannot_be_written_to_is_refused(
    open_to_all: Path, sqlite_url: str
) -> None:
    url = f"sqlite://{open_to_all}/moorings.db"
    await (await open_database(url)).close()
    with _read_only(open_to_all):
        said = await processes.successful(OPEN_AS_NOBODY, url, sqlite_url)
    assert said.startswith("DatabaseUnusable")
    assert "writable" in said


async def test_a_folder_that_cannot_be_written_to_is_refused(
    open_to_all: Path, sqlite_url: str
) -> None:
    url = f"sqlite://{open_to_all}/moorings.db"
    with _read_only(open_to_all):
        said = await processes.successful(OPEN_AS_NOBODY, url, sqlite_url)
    assert said.startswith("DatabaseUnusable")
    assert "writable" in said


async def test_a_full_disk_stores_nothing_and_works_again_when_there_is_room(
    sqlite: Database, now: datetime
) -> None:
    where = await given.conversation(now)
    await sql.rows(sqlite, "PRAGMA max_page_count = 1")  # it becomes the present size
    with pytest.raises(DatabaseUnusable, match="disk is full"):
        await inbox.add(_long(where.id, now), now)
    assert await inbox.unanswered(where.id) == []
    await sql.rows(sqlite, "PRAGMA max_page_count = 1000000")
    assert await inbox.add(_long(where.id, now), now)


def _long(conversation_id: int, now: datetime) -> inbox.NewMessage:
    return inbox.NewMessage(
        key="long",
        conversation_id=conversation_id,
        position=1,
        author_id="ana",
        author="ana",
        text="word " * 100_000,
        reply_to=None,
        sent_at=now,
    )


async def test_a_new_file_locked_by_another_process_is_busy(sqlite_url: str) -> None:
    file = Path(sqlite_url.removeprefix("sqlite://"))
    async with _locked(file):
        error = await _refusal(f"{sqlite_url}?busy_timeout=100")
    assert isinstance(error, DatabaseBusy)
    assert "locked by another process" in str(error)


@pytest.mark.usefixtures("history")
async def test_a_database_locked_by_another_process_reads_and_does_not_write(
    sqlite_url: str, now: datetime
) -> None:
    async with _locked(Path(sqlite_url.removeprefix("sqlite://"))):
        database = await open_database(f"{sqlite_url}?busy_timeout=100")
        assert await agents.by_name("support")
        with pytest.raises(DatabaseBusy, match="locked by another process"):
            await given.conversation(now)
    await given.conversation(now)
    await database.close()


async def test_no_refusal_carries_words_of_a_traceback(tmp_path: Path) -> None:
    (tmp_path / "diary.txt").write_text("dear diary" * 500)
    for name in ("missing/moorings.db", "diary.txt", ""):
        said = str(await _refusal(f"sqlite://{tmp_path}/{name}".rstrip("/")))
        assert not {"Error", "Traceback", "sqlite3", "Exception"} & set(said.split())


@pytest.mark.parametrize(
    ("kind", "change", "kind_of_error", "words"),
    [
        ("postgres", ("/test", "/nosuch"), DatabaseUnusable, "no such database"),
        ("postgres", ("//", "//nosuch"), DatabaseUnusable, "refuses this user"),
        ("postgres", ("127.0.0.1", "127.0.0.1:1"), DatabaseBusy, "cannot be reached"),
        ("mysql", ("/test", "/nosuch"), DatabaseUnusable, "no such database"),
        ("mysql", ("//", "//nosuch"), DatabaseUnusable, "refuses this user"),
        ("mysql", ("127.0.0.1", "127.0.0.1:1"), DatabaseBusy, "cannot be reached"),
    ],
)
async def test_a_server_that_does_not_let_in_says_what_to_correct(
    servers: Mapping[str, Server],
    kind: str,
    change: tuple[str, str],
    kind_of_error: type[StorageError],
    words: str,
) -> None:
    conftest.switched_on(servers, kind)
    error = await _refusal(conftest.SERVERS[kind].replace(*change))
    assert isinstance(error, kind_of_error)
    assert words in str(error)


async def test_four_processes_can_open_a_new_database_at_once(empty_url: str) -> None:
    async with asyncio.TaskGroup() as group:
        opened = [group.create_task(_opened_elsewhere(empty_url)) for _ in range(4)]
    assert [task.result() for task in opened] == [""] * 4
    database = await open_database(empty_url)
    assert await sql.real(database) == sql.declared()
    await database.close()


async def _opened_elsewhere(url: str) -> str:
    return await processes.successful(OPEN, url)


DRIVERS = """
import asyncio, sys
from storage.database import open_database

async def main(url):
    database = await open_database(url)
    await database.close()

asyncio.run(main(sys.argv[1]))
print(*{"asyncmy", "asyncpg"} & sys.modules.keys())
"""


async def test_only_the_driver_of_this_database_is_imported(url: str) -> None:
    drivers = {"sqlite": "", "postgres": "asyncpg", "mysql": "asyncmy"}
    ended = await cold(Life(arguments=(url,), folder=ROOT, environment={}, source=DRIVERS))
    assert ended.code == 0, ended.err
    assert ended.out.strip() == drivers[url.partition(":")[0]]
