"""`moorings backup` and `restore`: everything goes along, and what is wrong is said in a line."""

from __future__ import annotations

import asyncio
import os
import re
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing

import pytest

from tests import conftest, databases
from tests.bots.cli.conftest import BOAT
from tests.bots.cli.test_run import until_ready
from tests.bots.program import Program
from tests.forked import Ended, Life, piped
from tests.patience import PATIENCE
from tests.peers.discord.peer import DiscordPeer

ASKED = "What is my boat called?"
# The program, where no file may become long: as on a disk that is full.
NO_ROOM = """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
from bots.__main__ import main
main()
"""
# The program, which dies when it has done the first rows.
KILLED = """
import os, signal
from bots.__main__ import main
from core import kill_points

kill_points.watch(lambda place: place.startswith("rows") and os.kill(os.getpid(), signal.SIGKILL))
main()
"""


def refused(ended: Ended, *words: str) -> None:
    """It failed with one line that has these words."""
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.startswith("moorings: ")
    assert ended.err.count("\n") == 1, ended.err
    for word in words:
        assert word in ended.err


def into(program: Program, name: str) -> None:
    """Let it use another database file from now on."""
    program.set(DATABASE_URL=f"sqlite://./{name}.db")


@pytest.mark.usefixtures("told")
async def test_what_was_restored_goes_on(program: Program) -> None:
    into(program, "other")
    ended = await program.run("restore", "boat.jsonl")
    assert (ended.code, ended.err) == (0, "")
    assert re.search(r"has all \d+ rows of boat\.jsonl", ended.out)
    assert "Mira" in (await program.run("ask", "assistant", ASKED)).out


@pytest.mark.usefixtures("told")
async def test_it_says_what_it_wrote(program: Program) -> None:
    ended = await program.run("backup", "again.jsonl")
    assert (ended.code, ended.err) == (0, "")
    assert re.match(r"again\.jsonl: \d+ rows, ", ended.out)


@pytest.mark.usefixtures("told")
async def test_a_check_needs_no_database_and_no_configuration(program: Program) -> None:
    program.set(DATABASE_URL="nonsense", PORT="nonsense")
    ended = await program.run("backup", "--check", "boat.jsonl")
    assert (ended.code, ended.err) == (0, "")
    assert "It is whole." in ended.out


@pytest.mark.usefixtures("told")
async def test_a_backup_that_was_cut_off_is_refused(program: Program) -> None:
    os.truncate(program.folder / "boat.jsonl", 3_000)
    into(program, "other")
    refused(await program.run("backup", "--check", "boat.jsonl"), "boat.jsonl is cut off")
    refused(await program.run("restore", "boat.jsonl"), "boat.jsonl is cut off")
    assert not (program.folder / "other.db").exists()


@pytest.mark.usefixtures("told")
async def test_a_file_that_is_there_is_not_written_over(program: Program) -> None:
    refused(await program.run("backup", "boat.jsonl"), "boat.jsonl is there already")
    assert (await program.run("backup", "--check", "boat.jsonl")).code == 0


@pytest.mark.usefixtures("told")
async def test_a_database_that_is_not_empty_is_refused(program: Program) -> None:
    refused(await program.run("restore", "boat.jsonl"), "is not empty", "DATABASE_URL")
    assert "Mira" in (await program.run("ask", "assistant", ASKED)).out


@pytest.fixture(params=conftest.KINDS)
def elsewhere(
    request: pytest.FixtureRequest, program: Program, servers: Mapping[str, databases.Server]
) -> Iterator[str]:
    """An empty database of each kind that is switched on, which the program uses from now on."""
    kind = str(request.param)
    with ExitStack() as stack:
        url = "sqlite://./other.db"
        if kind != "sqlite":
            url = stack.enter_context(conftest.switched_on(servers, kind).filled())
        yield url


@pytest.mark.usefixtures("told")
async def test_a_database_under_a_running_bot_is_refused(
    program: Program, elsewhere: str, site: str
) -> None:
    program.set(DATABASE_URL=elsewhere)
    async with DiscordPeer() as discord:
        program.set(DISCORD_TOKEN=discord.token, DISCORD_API_URL=discord.api_url)
        process = await program.start("run")
        await until_ready(site, process)
        refused(await program.run("restore", "boat.jsonl"), "has this database open")
        process.kill()
        await process.wait()


@pytest.mark.usefixtures("told")
async def test_a_disk_that_is_full_leaves_no_half_of_it(program: Program) -> None:
    with closing(sqlite3.connect(program.folder / "moorings.db")) as database, database:
        database.execute("UPDATE message SET text = ?", ["long " * 50_000])
    before = set(os.listdir(program.folder))
    life = Life(
        arguments=("backup", "again.jsonl"), folder=program.folder, environment={}, source=NO_ROOM
    )
    ended = await (await piped(life)).ended()
    refused(ended, "again.jsonl could not be written (File too large); nothing of it is left")
    assert set(os.listdir(program.folder)) == before


async def test_tokens_in_plain_text_are_told(program: Program) -> None:
    with closing(sqlite3.connect(program.folder / "moorings.db")) as database, database:
        database.execute(
            "INSERT INTO installation (platform, team, enterprise, bot, installed_at)"
            """ VALUES ('slack', 'T1', '', '{"token": "xoxb-plain"}', '2026-03-01')"""
        )
    ended = await program.run("backup", "b.jsonl")
    assert ended.code == 0
    assert "1 installed workspaces were left out" in ended.err
    assert "xoxb-plain" not in (program.folder / "b.jsonl").read_text()


@pytest.mark.usefixtures("told")
async def test_progress_is_shown_at_a_terminal(program: Program) -> None:
    async with program.at_a_terminal("backup", "again.jsonl") as terminal:
        await terminal.shows("Backing up …")
        await terminal.shows(" rows")
        await terminal.shows("again.jsonl: ")
        assert await terminal.ended() == 0


@pytest.mark.usefixtures("told")
async def test_a_restore_that_was_killed_is_begun_again(program: Program, elsewhere: str) -> None:
    life = Life(
        arguments=("restore", "boat.jsonl"),
        folder=program.folder,
        environment={"DATABASE_URL": elsewhere},
        source=KILLED,
    )
    assert (await (await piped(life)).ended()).code == -9
    program.set(DATABASE_URL=elsewhere)
    ended = await program.run("restore", "boat.jsonl")
    assert (ended.code, ended.err) == (0, "")
    assert "Mira" in (await program.run("ask", "assistant", ASKED)).out


@pytest.mark.usefixtures("told")
async def test_a_backup_that_was_killed_is_no_file_of_that_name(program: Program) -> None:
    life = Life(
        arguments=("backup", "again.jsonl"), folder=program.folder, environment={}, source=KILLED
    )
    assert (await (await piped(life)).ended()).code == -9
    assert "again.jsonl" not in os.listdir(program.folder)
    assert (await program.run("backup", "again.jsonl")).code == 0


async def test_where_there_is_no_database_none_is_made(program: Program) -> None:
    into(program, "other")
    refused(await program.run("backup", "b.jsonl"), "check DATABASE_URL")
    assert {"other.db", "b.jsonl"}.isdisjoint(os.listdir(program.folder))


async def test_a_bot_backs_up_by_itself(program: Program) -> None:
    (program.folder / "agents.toml").write_text('[backup]\nto = "backups"\n')
    assert (await program.run("ask", "assistant", BOAT)).code == 0
    async with DiscordPeer() as discord:
        program.set(DISCORD_TOKEN=discord.token, DISCORD_API_URL=discord.api_url)
        process = await program.start("run")
        async with asyncio.timeout(PATIENCE):
            while b"backup written" not in await process.stderr.readline():
                assert process.returncode is None
        process.kill()
        await process.wait()
    [name] = os.listdir(program.folder / "backups")
    program.set(DATABASE_URL="sqlite://./other.db")
    assert (await program.run("restore", f"backups/{name}")).code == 0
    assert "Mira" in (await program.run("ask", "assistant", ASKED)).out
