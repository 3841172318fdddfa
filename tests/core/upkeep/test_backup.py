"""A backup's file: whole or not there, and refused in one sentence where it is not what it was."""

from __future__ import annotations

import errno
import json
import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from core import clock, kill_points
from core.errors import ConfigMistake
from core.upkeep import backup
from core.upkeep.backup_file import Contents
from storage import agents, installations
from storage.database import Database, open_database
from storage.errors import DatabaseUnusable
from storage.models import Agent, Conversation, Message, MessageRole
from tests.storage import given

HALF = "half a character: \ud83d"


@pytest.fixture
async def file(sqlite: Database, tmp_path: Path) -> Path:
    """A backup of a few rows."""
    await given.conversation(clock.now())
    await agents.record(name="Ünï 🚢", revision="r1", config={"words": HALF}, now=clock.now())
    await written(sqlite, tmp_path / "backup.jsonl")
    return tmp_path / "backup.jsonl"


async def written(database: Database, file: Path) -> Contents:
    """What was backed up into this file."""
    return await backup.write(database, file, clock.now(), print)


def rows(file: Path) -> list[bytes]:
    """The lines that do not say when it was made."""
    return file.read_bytes().splitlines()[1:-1]


def halves(folder: Path) -> list[str]:
    """What is left of backups that did not become whole."""
    return [each.name for each in folder.glob("*.part")]


def opened() -> list[Path]:
    """The files that this process has open."""
    return [each.readlink() for each in Path("/proc/self/fd").iterdir() if each.is_symlink()]


def nothing(_: int) -> None:
    """Hear of no progress."""


def broken(file: Path, change: Callable[[list[bytes]], list[bytes]]) -> Path:
    """A copy of a backup with other lines."""
    copy = file.with_name("broken.jsonl")
    copy.write_bytes(b"".join(change(file.read_bytes().splitlines(keepends=True))))
    return copy


def header(**others: object) -> Callable[[list[bytes]], list[bytes]]:
    """Says something else at its beginning."""

    def change(lines: list[bytes]) -> list[bytes]:
        return [json.dumps({**json.loads(lines[0]), **others}).encode() + b"\n", *lines[1:]]

    return change


def test_it_says_what_is_in_it(file: Path) -> None:
    contents = backup.check(file, nothing)
    assert contents.rows["agent"] == 2
    assert contents.rows["conversation"] == 1
    assert contents.rows["message"] == 0
    assert contents.left_out == 0


def test_only_its_owner_may_read_it(file: Path) -> None:
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_each_line_is_json_in_utf_8(file: Path) -> None:
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    assert lines[0]["program"] == "moorings"
    assert any(isinstance(line, list) and "Ünï 🚢" in line for line in lines)


async def test_it_is_restored(file: Path, migrated: Path, tmp_path: Path) -> None:
    shutil.copy(migrated, tmp_path / "other.db")
    other = await open_database(f"sqlite://{tmp_path}/other.db")
    other.enter()
    await backup.restore(other, file, clock.now(), nothing)
    assert (await Agent.get(name="Ünï 🚢")).config == {"words": HALF}
    assert await Conversation.all().count() == 1
    again = tmp_path / "again.jsonl"
    await written(other, again)
    await other.close()
    assert rows(again) == rows(file)


@pytest.mark.usefixtures("file")
async def test_a_file_that_is_there_stays_as_it_is(sqlite: Database, tmp_path: Path) -> None:
    there = tmp_path / "there.jsonl"
    there.write_text("mine")
    with pytest.raises(ConfigMistake, match=r"there\.jsonl is there already"):
        await written(sqlite, there)
    assert there.read_text() == "mine"


@pytest.mark.usefixtures("file")
@pytest.mark.parametrize("has_links", [True, False])
async def test_a_file_that_came_meanwhile_stays_as_it_is(
    sqlite: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, has_links: bool
) -> None:
    there = tmp_path / "there.jsonl"
    if not has_links:  # as on FAT
        monkeypatch.setattr(os, "link", _no_link)

    def come(_: int) -> None:
        there.write_text("mine")

    with pytest.raises(ConfigMistake, match=r"there\.jsonl is there already"):
        await backup.write(sqlite, there, clock.now(), come)
    assert there.read_text() == "mine"
    assert halves(tmp_path) == []


async def test_a_file_that_came_in_the_last_moment_stays_as_it_is(
    sqlite: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = tmp_path / "there.jsonl"
    monkeypatch.setattr(os, "fsync", lambda _: there.write_text("mine"))
    with pytest.raises(ConfigMistake, match=r"there\.jsonl is there already"):
        await written(sqlite, there)
    assert there.read_text() == "mine"
    assert halves(tmp_path) == []


async def test_a_disk_without_links_takes_it(
    sqlite: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "link", _no_link)
    await written(sqlite, tmp_path / "backup.jsonl")
    backup.check(tmp_path / "backup.jsonl", nothing)
    assert halves(tmp_path) == []


def _no_link(*_: object) -> None:
    raise OSError(errno.EPERM, "Operation not permitted")


async def test_a_database_that_is_not_empty_keeps_no_file_open(
    sqlite: Database, file: Path
) -> None:
    with pytest.raises(DatabaseUnusable, match="not empty"):
        await backup.restore(sqlite, file, clock.now(), nothing)
    assert file not in opened()


async def test_a_folder_that_is_not_there_is_told(sqlite: Database, tmp_path: Path) -> None:
    with pytest.raises(ConfigMistake, match="cannot be written: No such file or directory"):
        await written(sqlite, tmp_path / "nowhere" / "backup.jsonl")


@pytest.mark.parametrize("count", [0, 1, 2, 3, -1, -2])
def test_one_that_was_cut_off_between_lines_is_refused(file: Path, count: int) -> None:
    with pytest.raises(ConfigMistake, match=r"is no backup of Moorings|is cut off"):
        backup.check(broken(file, lambda lines: lines[:count]), nothing)


@pytest.mark.parametrize("count", [1, 50, -1, -50])
def test_one_that_was_cut_off_anywhere_is_refused(file: Path, count: int) -> None:
    cut = file.with_name("cut.jsonl")
    cut.write_bytes(file.read_bytes()[:count])
    with pytest.raises(ConfigMistake, match=r"is no backup of Moorings|is cut off"):
        backup.check(cut, nothing)


@pytest.mark.parametrize(
    "newer", [{"format": 2}, {"schema": "9999_future"}, {"format": 2, "colour": "blue"}]
)
def test_one_of_a_newer_version_is_refused(file: Path, newer: dict[str, object]) -> None:
    with pytest.raises(ConfigMistake, match=r"written by a newer version .*: install that one\.$"):
        backup.check(broken(file, header(**newer)), nothing)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\n",
        b"PK\x03\x04\x00",
        b"SQLite format 3\x00" + bytes(100_000),
        b"[1, 2]\n",
        b"{}\n",
        b'{"program": "pg_dump", "format": 1}\n',
        b'{"program": "moorings"}\n',
        b'{"program": "moorings", "format": "1"}\n',
        b"[" * 9_000 + b"\n",
    ],
)
def test_one_of_another_program_is_refused(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "other").write_bytes(text)
    with pytest.raises(ConfigMistake, match=r"other is no backup of Moorings\.$"):
        backup.check(tmp_path / "other", nothing)


def test_one_with_another_word_in_it_is_refused(file: Path) -> None:
    changed = broken(file, lambda lines: [line.replace(b"support", b"suPport") for line in lines])
    with pytest.raises(ConfigMistake, match="is damaged: it is not what was written"):
        backup.check(changed, nothing)


def test_one_with_something_behind_it_is_refused(file: Path) -> None:
    with pytest.raises(ConfigMistake, match="is damaged: it is not what was written"):
        backup.check(broken(file, lambda lines: [*lines, b"[]\n"]), nothing)


@pytest.mark.parametrize(
    ("number", "line"),
    [
        (2, b'{"table":"agents","columns":["id"]}\n'),
        (2, b'{"table":"agent","columns":"id"}\n'),
        (2, b'{"table":["agent"],"columns":["id"]}\n'),
        (2, b'{"table":"agent","columns":[["id"]]}\n'),
        (3, b"[1]\n"),
        (3, b"no JSON\n"),
        (3, b"\xff\xfe\n"),
        (3, b"[" * 100_000 + b"\n"),
    ],
)
def test_a_damaged_line_is_named(file: Path, number: int, line: bytes) -> None:
    def change(lines: list[bytes]) -> list[bytes]:
        return [*lines[: number - 1], line, *lines[number:]]

    with pytest.raises(ConfigMistake, match=f"is damaged in line {number}"):
        backup.check(broken(file, change), nothing)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigMistake, match=r"cannot be read: No such file or directory\.$"):
        backup.check(tmp_path / "nowhere", nothing)


async def test_one_that_turns_out_damaged_leaves_the_database_empty(
    file: Path, migrated: Path, tmp_path: Path
) -> None:
    shutil.copy(migrated, tmp_path / "other.db")
    other = await open_database(f"sqlite://{tmp_path}/other.db")
    other.enter()
    changed = broken(file, lambda lines: [line.replace(b"support", b"suPport") for line in lines])
    with pytest.raises(ConfigMistake, match="is damaged"):
        await backup.restore(other, changed, clock.now(), nothing)
    assert not await Agent.exists()
    await other.close()


async def test_tokens_in_plain_text_are_counted_and_nowhere_in_it(
    sqlite: Database, tmp_path: Path
) -> None:
    bot: dict[str, object] = {"token": "xoxb-plain"}
    await installations.store(platform="slack", enterprise="", team="T", bot=bot, now=clock.now())
    contents = await written(sqlite, tmp_path / "b.jsonl")
    assert contents.left_out == 1
    assert b"xoxb-plain" not in (tmp_path / "b.jsonl").read_bytes()


class Stopped(Exception):
    """What a test raises at a kill point."""


async def test_what_is_stopped_in_the_middle_leaves_nothing(
    sqlite: Database, tmp_path: Path
) -> None:
    def stop(place: str) -> None:
        if place == "rows backed up":
            raise Stopped

    folder = tmp_path / "backups"
    folder.mkdir()
    kill_points.watch(stop)
    try:
        with pytest.raises(Stopped):
            await written(sqlite, folder / "b.jsonl")
    finally:
        kill_points.watch(lambda _: None)
    assert list(folder.iterdir()) == []


async def test_progress_counts_rows(sqlite: Database, tmp_path: Path) -> None:
    where = await given.conversation(clock.now())
    await Message.bulk_create(
        Message(
            conversation_id=where.id,
            seq=number,
            role=MessageRole.USER,
            author="ana",
            text="Hello",
            tokens=1,
            turn_id=1,
            said_at=clock.now(),
        )
        for number in range(1_234)
    )
    told: list[int] = []
    await backup.write(sqlite, tmp_path / "b.jsonl", clock.now(), told.append)
    assert told == sorted(told)
    assert told[-1] == 1_234 + 3
    heard: list[int] = []
    backup.check(tmp_path / "b.jsonl", heard.append)
    assert heard[-1] == told[-1]
