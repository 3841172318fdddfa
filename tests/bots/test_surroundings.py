"""A host on which something is wrong: each command says so in a sentence, none in a traceback."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import subprocess
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from tests.bots.program import Program
from tests.conftest import NEEDS_SERVER, skip_or_fail
from tests.forked import Ended, Life, cold
from tests.peers import pgbouncer
from tests.peers.endpoint import Endpoint
from tests.peers.pgbouncer import PgBouncer
from tests.peers.ports import closed_port
from tests.peers.postgres import PostgresServer
from tests.peers.slack.peer import SlackPeer

COMMANDS = ("doctor", "migrate", "ask", "run")
ARGUMENTS: Mapping[str, tuple[str, ...]] = {"ask": ("assistant", "hello")}
# The program where it is another hour.
OFF = """
from datetime import timedelta
from core import clock
right = clock.now
clock.now = lambda: right() + timedelta(hours={})
from bots.__main__ import main
main()
"""
# The program where somebody deletes the folder that it was started in.
GONE = """
import os
os.rmdir(os.getcwd())
from bots.__main__ import main
main()
"""
# The program as it is installed without what SOCKS needs.
WITHOUT_SOCKS = """
import sys
sys.modules |= {"aiohttp_socks": None, "socksio": None}
from bots.__main__ import main
main()
"""
each_command = pytest.mark.parametrize("command", COMMANDS)


@pytest.fixture
async def ready(program: Program, endpoint: Endpoint) -> AsyncIterator[Program]:
    """All else is well: a model answers, and Slack could be reached."""
    async with SlackPeer() as slack:
        program.set(
            SLACK_BOT_TOKEN=slack.bot_token,
            SLACK_APP_TOKEN=slack.app_token,
            SLACK_API_URL=slack.api_url,
        )
        yield program


async def said(program: Program, command: str) -> str:
    """What a command says when it fails: nothing that only who wrote it could read."""
    return _told(await program.run(command, *ARGUMENTS.get(command, ())), command)


def _told(ended: Ended, command: str) -> str:
    assert ended.code == 1
    assert "Traceback" not in ended.out + ended.err
    assert command == "doctor" or (ended.out == "" and len(ended.err.splitlines()) == 1)
    return ended.err if command != "doctor" else _failures(ended)


def _failures(ended: Ended) -> str:
    return "\n".join(line for line in ended.out.splitlines() if line.startswith("FAIL"))


@contextmanager
def mounted(folder: Path, options: str) -> Iterator[Path]:
    """A disk of its own; only root can make one, and not everywhere."""
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    if os.getuid() != 0 or subprocess.run(command, check=False).returncode != 0:  # noqa: S603  # of our own
        pytest.skip("nobody may mount a disk here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)  # noqa: S603, S607  # as above


@each_command
async def test_a_folder_that_takes_no_files_is_told(ready: Program, command: str) -> None:
    ready.set(DATABASE_URL="sqlite:///proc/x.db")
    assert "writable for this user" in await said(ready, command)


@each_command
async def test_a_folder_that_vanished_is_told(ready: Program, command: str) -> None:
    ready.set(DATABASE_URL="sqlite:///gone/x.db")
    assert "The folder /gone of the database does not exist" in await said(ready, command)


@each_command
async def test_a_vanished_working_directory_is_told(tmp_path: Path, command: str) -> None:
    (folder := tmp_path / "gone").mkdir()
    arguments = (command, *ARGUMENTS.get(command, ()))
    ended = await cold(Life(arguments=arguments, folder=folder, environment={}, source=GONE))
    assert "was started in is not there any more" in _told(ended, command)


@each_command
async def test_a_read_only_disk_is_told(ready: Program, command: str, tmp_path: Path) -> None:
    (disk := tmp_path / "disk").mkdir()
    ready.set(DATABASE_URL=f"sqlite://{disk}/x.db")
    with mounted(disk, "ro"):
        assert "writable for this user" in await said(ready, command)


@each_command
async def test_a_full_disk_is_told(ready: Program, command: str, tmp_path: Path) -> None:
    (disk := tmp_path / "disk").mkdir()
    ready.set(DATABASE_URL=f"sqlite://{disk}/x.db")
    with mounted(disk, "size=200k"):
        assert "full" in await said(ready, command)


@each_command
async def test_a_disk_that_became_full_is_told(
    ready: Program, command: str, tmp_path: Path
) -> None:
    (disk := tmp_path / "disk").mkdir()
    ready.set(DATABASE_URL=f"sqlite://{disk}/x.db")
    with mounted(disk, "size=2m"):
        shutil.copy(ready.folder / "moorings.db", disk / "x.db")
        fill(disk)
        assert "full" in await said(ready, command)


def fill(disk: Path) -> None:
    """Leave no byte of it."""
    with (disk / "full").open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))


@each_command
async def test_a_database_of_a_newer_version_is_told(ready: Program, command: str) -> None:
    with closing(sqlite3.connect(ready.folder / "moorings.db")) as database, database:
        database.execute("UPDATE tortoise_migrations SET name = '9999_later' WHERE id = 2")
    assert "later version of Moorings" in await said(ready, command)


@each_command
async def test_a_server_that_nobody_runs_is_told(ready: Program, command: str) -> None:
    with closed_port() as port:
        ready.set(DATABASE_URL=f"mysql://ana:a-secret@127.0.0.1:{port}/moorings")
        assert f"127.0.0.1:{port} cannot be reached: nothing listens" in await said(ready, command)


@each_command
async def test_a_server_without_tls_is_told(ready: Program, command: str, cluster: Path) -> None:
    async with PostgresServer(cluster=cluster) as server:
        ready.set(DATABASE_URL=f"{server.url}?sslmode=require")
        assert "has no TLS" in await said(ready, command)


@pytest.mark.parametrize(("hours", "how"), [(1, "ahead of"), (-1, "behind")])
async def test_a_clock_that_is_off_is_told(
    tmp_path: Path, cluster: Path, hours: int, how: str
) -> None:
    async with PostgresServer(cluster=cluster) as server:
        life = Life(
            arguments=("doctor",),
            folder=tmp_path,
            environment={"DATABASE_URL": server.url},
            source=OFF.format(hours),
        )
        ended = await cold(life)
    assert ended.err == ""
    assert re.search(
        rf"^FAIL clock +this machine is 3[56]\d\d seconds {how} ", ended.out, re.MULTILINE
    )


@pytest.mark.parametrize("command", ["doctor", "migrate", "ask"])
async def test_a_pooler_is_worked_with(ready: Program, command: str, cluster: Path) -> None:
    if not pgbouncer.available():
        skip_or_fail(f"{NEEDS_SERVER} of its own: apt install pgbouncer")
    async with PostgresServer(cluster=cluster) as server, PgBouncer(server.url) as pooler:
        ready.set(DATABASE_URL=pooler.url)
        ended = [await ready.run(command, *ARGUMENTS.get(command, ())) for _ in range(3)]
    assert "Traceback" not in "".join(each.out + each.err for each in ended)
    if command == "doctor":
        assert all("through a pooler, schema" in each.out for each in ended)
    else:
        assert [each.code for each in ended] == [0, 0, 0]


@each_command
async def test_a_missing_package_for_socks_is_told(tmp_path: Path, command: str) -> None:
    life = Life(
        arguments=(command, *ARGUMENTS.get(command, ())),
        folder=tmp_path,
        environment={"ALL_PROXY": "socks5://127.0.0.1:1080"},
        source=WITHOUT_SOCKS,
    )
    assert "pip install aiohttp-socks 'httpx2[socks]'" in _told(await cold(life), command)


@pytest.mark.parametrize("name", ["HTTP_PROXY", "ALL_PROXY"])
@pytest.mark.parametrize("scheme", ["http", "socks5"])
@pytest.mark.parametrize("command", ["doctor", "ask"])
async def test_a_dead_proxy_is_told(ready: Program, command: str, scheme: str, name: str) -> None:
    with closed_port() as port:
        ready.set(**{name: f"{scheme}://127.0.0.1:{port}"})
        ended = await ready.run(command, *ARGUMENTS.get(command, ()))
    assert "Traceback" not in ended.out + ended.err
    if command == "doctor":
        assert {line.split()[1] for line in _failures(ended).splitlines()} == {"model", "slack"}
    else:
        assert "cannot reach" in ended.out + ended.err
