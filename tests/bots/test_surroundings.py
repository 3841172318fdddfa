"""A host on which something is wrong: each command says so in a sentence, none in a traceback."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import sqlite3
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from tests.bots.cli.test_run import until_ready
from tests.bots.program import Program
from tests.conftest import needs_own
from tests.forked import Ended, Life, Running, cold, piped
from tests.patience import PATIENCE
from tests.peers import pgbouncer
from tests.peers.endpoint import Endpoint
from tests.peers.pgbouncer import PgBouncer
from tests.peers.ports import closed_port
from tests.peers.postgres import PostgresServer
from tests.peers.slack.peer import SlackPeer
from tests.storage.test_pooler import occupied

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
async def slack() -> AsyncIterator[SlackPeer]:
    """A workspace."""
    async with SlackPeer() as slack:
        yield slack


@pytest.fixture
def ready(program: Program, endpoint: Endpoint, slack: SlackPeer) -> Program:
    """All else is well: a model answers, and Slack can be reached."""
    program.set(
        SLACK_BOT_TOKEN=slack.bot_token,
        SLACK_APP_TOKEN=slack.app_token,
        SLACK_API_URL=slack.api_url,
    )
    return program


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


@pytest.mark.parametrize(
    ("line", "command"),
    [
        *(('OPENAI_API_KEY="sk-x', command) for command in COMMANDS),
        ("DISCORD_TOKEN: abc", "run"),
        ("A=${GONE}", "run"),
    ],
)
async def test_a_line_of_env_that_says_nothing_is_told(
    ready: Program, command: str, line: str
) -> None:
    (ready.folder / ".env").write_text(f"PORT=8080\n{line}\n")
    assert ".env:2: " in await said(ready, command)


@pytest.mark.parametrize("password", ["a-secret/1", "a-secret@1/2"])
@each_command
async def test_a_password_is_told_how_to_be_written(
    ready: Program, command: str, password: str
) -> None:
    ready.set(DATABASE_URL=f"postgres://ana:{password}@db/moorings")
    sentence = await said(ready, command)
    assert "must be percent-encoded there: %2F, %3F, %23, %40" in sentence
    assert "secret" not in sentence


@each_command
async def test_an_option_that_is_not_known_is_told_with_the_nearest(
    ready: Program, command: str
) -> None:
    ready.set(DATABASE_URL="postgres://ana:a-secret@db/moorings?sslmod=require")
    assert "'sslmod' is not understood; did you mean sslmode?" in await said(ready, command)


@each_command
async def test_a_vanished_working_directory_is_told(tmp_path: Path, command: str) -> None:
    ended = await (await piped(_gone(tmp_path, command))).ended()
    assert "was started in is not there any more" in _told(ended, command)


async def test_a_vanished_working_directory_is_told_where_all_is_still_to_be_imported(
    tmp_path: Path,
) -> None:
    # As `moorings` has it: told `-c`, Python looks first where it was started, and until 3.13.3
    # fails itself if that is gone (gh-130932).
    life = replace(_gone(tmp_path, "run"), environment={"PYTHONSAFEPATH": "1"})
    ended = await cold(life)
    assert "was started in is not there any more" in _told(ended, "run")


def _gone(tmp_path: Path, command: str) -> Life:
    (folder := tmp_path / "gone").mkdir()
    arguments = (command, *ARGUMENTS.get(command, ()))
    return Life(arguments=arguments, folder=folder, environment={}, source=GONE)


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
        ended = await (await piped(life)).ended()
    assert ended.err == ""
    assert re.search(
        rf"^FAIL clock +this machine is 3[56]\d\d seconds {how} ", ended.out, re.MULTILINE
    )


@pytest.mark.parametrize("hours", [1, -1])
async def test_a_clock_that_is_off_keeps_nobody_from_working(
    ready: Program, slack: SlackPeer, site: str, cluster: Path, hours: int
) -> None:
    async with PostgresServer(cluster=cluster) as server:
        ready.set(DATABASE_URL=server.url)
        migrated = await (await off(ready, hours, "migrate")).ended()
        asked = await (await off(ready, hours, "ask", "assistant", "hello")).ended()
        running = await off(ready, hours, "run")
        await until_ready(site, running)
        await slack.until(ask(slack, "hello"))
        running.send_signal(signal.SIGTERM)
        stopped = await running.ended()
    assert (migrated.code, migrated.err) == (0, "")
    assert (asked.code, asked.out, asked.err) == (0, "You said: hello\n", "")
    assert stopped.code == 0
    assert "Traceback" not in stopped.err


async def off(program: Program, hours: int, *arguments: str) -> Running:
    """Start it where it is another hour."""
    return await piped(replace(program.life(arguments), source=OFF.format(hours)))


def ask(slack: SlackPeer, text: str) -> Callable[[], bool]:
    """Ask in a thread of its own; says whether that is answered."""
    thread = slack.say("C0GENERAL", "U0ANNA", f"{slack.mention} {text}")

    def is_answered() -> bool:
        lines = slack.transcript("C0GENERAL", thread)
        return f"You said: {text}" in [line.text for line in lines]

    return is_answered


async def test_a_bot_outlives_a_pooler_that_is_full_and_one_that_is_started_again(
    ready: Program, slack: SlackPeer, site: str, cluster: Path
) -> None:
    needs_own("postgres", "pgbouncer", is_there=pgbouncer.available())
    async with (
        PostgresServer(cluster=cluster) as server,
        PgBouncer(server.url, max_client_conn="8") as pooler,
    ):
        ready.set(DATABASE_URL=pooler.url)
        async with occupied(pooler, 8):
            running = await ready.start("run")
            assert "no connection left" in await logged(running, "waiting for the database")
        await until_ready(site, running)
        await slack.until(ask(slack, "hello"))
        await pooler.stop()
        is_answered = ask(slack, "are you there?")
        await logged(running, "cannot look for work")
        await pooler.start()
        await slack.until(is_answered)
        running.send_signal(signal.SIGTERM)
        stopped = await running.ended()
    assert stopped.code == 0
    assert "Traceback" not in stopped.err


async def logged(running: Running, words: str) -> str:
    """The line of the log with these words, once it is there."""
    async with asyncio.timeout(PATIENCE):
        while words not in (line := (await running.stderr.readline()).decode()):
            assert line, "it has ended"
    return line


@pytest.mark.parametrize("command", ["doctor", "migrate", "ask"])
async def test_a_pooler_is_worked_with(ready: Program, command: str, cluster: Path) -> None:
    needs_own("postgres", "pgbouncer", is_there=pgbouncer.available())
    async with PostgresServer(cluster=cluster) as server, PgBouncer(server.url) as pooler:
        ready.set(DATABASE_URL=pooler.url)
        ended = [await ready.run(command, *ARGUMENTS.get(command, ())) for _ in range(3)]
    assert "Traceback" not in "".join(each.out + each.err for each in ended)
    if command == "doctor":
        assert all("through a pooler, schema" in each.out for each in ended)
    else:
        assert [each.code for each in ended] == [0, 0, 0]


@each_command
async def test_a_missing_package_for_socks_is_told(ready: Program, command: str) -> None:
    ready.set(ALL_PROXY="socks5://127.0.0.1:1080")
    life = replace(ready.life((command, *ARGUMENTS.get(command, ()))), source=WITHOUT_SOCKS)
    ended = await (await piped(life)).ended()
    assert "pip install aiohttp-socks 'httpx2[socks]'" in _told(ended, command)


@pytest.mark.parametrize(
    ("scheme", "name"),
    [
        ("http", "HTTP_PROXY"),
        ("socks5", "ALL_PROXY"),
        pytest.param("http", "ALL_PROXY", marks=pytest.mark.chaos),
        pytest.param("socks5", "HTTP_PROXY", marks=pytest.mark.chaos),
    ],
)
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


@pytest.mark.parametrize("scheme", ["http", "socks5"])
async def test_a_dead_proxy_keeps_a_start_waiting_and_no_migration(
    ready: Program, scheme: str
) -> None:
    with closed_port() as port:
        ready.set(HTTP_PROXY=f"{scheme}://127.0.0.1:{port}")
        migrated = await ready.run("migrate")
        running = await ready.start("run")
        why = await logged(running, "waiting for Slack")
        running.send_signal(signal.SIGTERM)
        stopped = await running.ended()
    assert (migrated.code, migrated.err) == (0, "")
    assert "cannot be reached" in why
    assert stopped.code == 0
    assert "Traceback" not in why + stopped.err
