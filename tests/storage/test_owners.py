"""Which processes live: found by locks that the kernel lets go of."""

from __future__ import annotations

import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from storage import owners
from storage.owners import Owner
from tests.forked import Running
from tests.storage import processes

LIVE = """
import sys
from pathlib import Path
from storage.owners import Owner
owner = Owner(Path(sys.argv[1]))
print(owner.name, flush=True)
sys.stdin.read()
if sys.argv[2:] == ["leave"]:
    owner.leave()
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where a database is; nobody opens it."""
    return tmp_path / "moorings.db"


async def _living(file: Path, *arguments: str) -> tuple[Running, str]:
    process = await processes.start(LIVE, str(file), *arguments)
    return process, (await process.stdout.readline()).decode().strip()


async def test_a_killed_process_is_dead_at_once(file: Path) -> None:
    process, name = await _living(file)
    process.kill()
    await process.wait()
    assert owners.dead(file) == [name]


async def test_that_one_lives_is_seen_until_it_dies(file: Path) -> None:
    assert not owners.live(file)
    process, _ = await _living(file)
    assert owners.live(file)
    process.kill()
    await process.wait()
    assert not owners.live(file)


async def test_a_living_process_is_not_dead_even_when_it_is_stopped(file: Path) -> None:
    process, _ = await _living(file)
    assert owners.dead(file) == []
    process.send_signal(signal.SIGSTOP)
    assert owners.dead(file) == []
    process.send_signal(signal.SIGCONT)
    await process.ended()


async def test_a_process_that_left_is_not_dead(file: Path) -> None:
    process, _ = await _living(file, "leave")
    await process.ended()
    assert owners.dead(file) == []


async def test_a_buried_owner_is_not_found_again(file: Path) -> None:
    process, name = await _living(file)
    process.kill()
    await process.wait()
    owners.bury(file, [name])
    owners.bury(file, [name])
    assert owners.dead(file) == []


def test_this_process_does_not_take_itself_for_dead(file: Path) -> None:
    me = Owner(file)
    assert owners.dead(file) == []
    me.leave()
    assert owners.dead(file) == []


def test_two_owners_of_one_process_have_two_names(file: Path) -> None:
    first, second = Owner(file), Owner(file)
    assert first.name != second.name
    assert str(os.getpid()) in first.name
    assert len(first.name) < 190
    first.leave()
    second.leave()


def test_an_owner_that_begins_is_not_taken_for_dead(tmp_path: Path) -> None:
    """Else what it claims at once would be given away: others look while it comes to be."""
    for number in range(100):
        file, all_live = tmp_path / f"{number}.db", threading.Event()
        with ThreadPoolExecutor(1) as thread:
            looked = thread.submit(_seen_dead, file, all_live)
            living = [Owner(file) for _ in range(10)]
            all_live.set()
            assert looked.result() == set()
        for owner in living:
            owner.leave()


def _seen_dead(file: Path, until: threading.Event) -> set[str]:
    seen: set[str] = set()
    while not until.is_set():
        seen.update(owners.dead(file))
    return seen


def test_where_no_process_ever_was_none_is_dead(file: Path) -> None:
    assert owners.dead(file) == []


def test_without_a_file_only_leases_tell() -> None:
    owner = Owner(None)
    assert owner.name
    assert owners.dead(None) == []
    owner.leave()
