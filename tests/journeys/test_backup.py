"""A bot moves: from a SQLite file into PostgreSQL and on into MariaDB, and nothing is missing."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests import conftest, databases
from tests.bots.program import Program, with_key
from tests.patience import PATIENCE
from tests.peers.discord.peer import DiscordPeer
from tests.peers.endpoint import Endpoint, recall
from tests.peers.slack.peer import SlackPeer

BOAT = "Remember that my boat is called Mira."
COLUMNS_OF_A_LEASE = {"owner", "token", "ready_at"}

Tables = dict[str, list[dict[str, object]]]


@pytest.fixture
async def program(tmp_path: Path) -> AsyncIterator[Program]:
    """Moorings without a key: the offline demo answers."""
    program = Program(tmp_path)
    yield program
    await program.end()


@pytest.fixture
def route(servers: Mapping[str, databases.Server]) -> Iterator[list[str]]:
    """Where it goes, one after the other: servers where they are switched on."""
    with ExitStack() as stack:
        yield [
            stack.enter_context(conftest.switched_on(servers, kind).empty())
            if kind in conftest.KINDS
            else f"sqlite://./instead-of-{kind}.db"
            for kind in ("postgres", "mysql")
        ]


def tables(file: Path) -> Tables:
    """Every row of a backup."""
    found: Tables = {}
    name, columns = "", list[str]()
    for line in file.read_text(encoding="utf-8").splitlines()[1:-1]:
        match json.loads(line):
            case {"table": name, "columns": columns}:
                found[name] = []
            case row:
                found[name].append(dict(zip(columns, row, strict=True)))
    return found


def without_leases(found: Tables) -> Tables:
    """Those that nobody works on while they are restored."""
    kept = [
        {name: value for name, value in row.items() if name not in COLUMNS_OF_A_LEASE}
        for row in found["conversation"]
    ]
    return {**found, "conversation": kept}


async def backed_up(program: Program, name: str) -> Tables:
    """What there is."""
    ended = await program.run("backup", name)
    assert ended.code == 0, ended.err
    return tables(program.folder / name)


async def answered(program: Program, name: str, count: int) -> None:
    """Back up what there is once so many answers are on record as delivered.

    What a bot posts after its backup, whoever goes on from that does not know of.
    """
    async with asyncio.timeout(PATIENCE):
        while (await _delivered(program, name)) < count:
            (program.folder / name).unlink()


async def _delivered(program: Program, name: str) -> int:
    return [row["state"] for row in (await backed_up(program, name))["outbox"]].count("delivered")


async def talk(program: Program, enough: asyncio.Event) -> int:
    """Say one thing after the other until it is enough; how many were answered."""
    chat = await program.start("chat", "--as", "ana")
    count = 0
    while not enough.is_set():
        chat.stdin.write(f"Remember that box {count} is blue.\n".encode())
        await chat.stdin.drain()
        assert await chat.stdout.readline()
        count += 1
    chat.stdin.close()
    await chat.wait()
    return count


@pytest.mark.timeout(600)
async def test_a_bot_moves_from_one_kind_of_database_to_the_next(
    program: Program, route: list[str]
) -> None:
    assert (await program.run("ask", "assistant", BOAT, "--as", "ana")).code == 0
    enough = asyncio.Event()
    async with asyncio.timeout(10 * PATIENCE), asyncio.TaskGroup() as group:
        talking = group.create_task(talk(program, enough))
        first = here = await backed_up(program, "first.jsonl")
        while len(here["message"]) <= len(first["message"]) + 2:
            (program.folder / "at-0.jsonl").unlink(missing_ok=True)
            here = await backed_up(program, "at-0.jsonl")
        enough.set()
    assert talking.result() > 1
    for number, url in enumerate(route):
        program.set(DATABASE_URL=url)
        ended = await program.run("restore", f"at-{number}.jsonl")
        assert ended.code == 0, ended.err
        there = await backed_up(program, f"at-{number + 1}.jsonl")
        assert without_leases(there) == without_leases(here)
        assert not [row for row in there["conversation"] if row["owner"]]
        here = there
    waiting = [row["text"] for row in here["inbox"] if row["state"] not in ("answered", "failed")]
    answer = await program.run("ask", "assistant", "What is my boat called?", "--as", "ana")
    assert "Mira" in answer.out, answer.err
    at_last = await backed_up(program, "at-last.jsonl")
    history = [row["text"] for row in at_last["message"]]
    assert history[: len(here["message"])] == [row["text"] for row in here["message"]]
    assert set(waiting) <= set(history)
    assert [row["seq"] for row in at_last["message"]] == list(range(1, len(history) + 1))


@pytest.mark.timeout(600)
async def test_what_was_said_on_platforms_goes_on_where_it_was_moved_to(
    program: Program, route: list[str]
) -> None:
    async with SlackPeer() as slack, DiscordPeer() as discord, Endpoint(recall) as endpoint:
        program.set(
            **with_key(endpoint.base_url),
            SLACK_BOT_TOKEN=slack.bot_token,
            SLACK_APP_TOKEN=slack.app_token,
            SLACK_API_URL=slack.api_url,
            DISCORD_TOKEN=discord.token,
            DISCORD_API_URL=discord.api_url,
        )
        bot = await program.start("run")
        await slack.until_connected(2)
        await discord.until_connected(1)
        thread = slack.say("C0GENERAL", "U0ANNA", f"{slack.mention} {BOAT}")
        told = discord.say(discord.general, discord.anna, f"{discord.mention} {BOAT}")
        await slack.until(lambda: len(slack.transcript("C0GENERAL", thread)) == 2)
        await discord.until(lambda: discord.answers(told))
        await answered(program, "at-0.jsonl", 2)
        bot.kill()
        await bot.wait()
        for number, url in enumerate(route):
            program.set(DATABASE_URL=url)
            assert (await program.run("restore", f"at-{number}.jsonl")).code == 0
            await backed_up(program, f"at-{number + 1}.jsonl")
        bot = await program.start("run")
        await slack.until_connected(2)
        await discord.until_connected(1)
        asked = "What is my boat called?"
        slack.say("C0GENERAL", "U0ANNA", f"{slack.mention} {asked}", thread=thread)
        question = discord.say(discord.general, discord.anna, f"{discord.mention} {asked}")
        await slack.until(lambda: "Mira" in str(slack.transcript("C0GENERAL", thread)[3:]))
        await discord.until(lambda: "Mira" in str(discord.answers(question)))
        await slack.until_quiet()
        assert len(slack.transcript("C0GENERAL", thread)) == 4
        assert [len(discord.answers(each)) for each in (told, question)] == [1, 1]
