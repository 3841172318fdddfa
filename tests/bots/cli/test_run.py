"""`moorings run` as a process: its HTTP port, and its end."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from aiohttp import ClientConnectionError, ClientSession

from tests.bots.program import Program
from tests.forked import Running
from tests.patience import PATIENCE
from tests.peers.endpoint import Endpoint
from tests.peers.slack.peer import SlackPeer


@pytest.fixture
async def slack(program: Program) -> AsyncIterator[SlackPeer]:
    """A workspace that the program has the tokens for."""
    async with SlackPeer() as slack:
        program.set(
            SLACK_BOT_TOKEN=slack.bot_token,
            SLACK_APP_TOKEN=slack.app_token,
            SLACK_API_URL=slack.api_url,
        )
        yield slack


async def until_ready(site: str, process: Running) -> None:
    """Wait until it says so."""
    async with asyncio.timeout(PATIENCE), ClientSession() as http:
        while await status(http, f"{site}/readyz") != 200:
            assert process.returncode is None
            await asyncio.sleep(0.05)


async def status(http: ClientSession, url: str) -> int:
    """What is answered; 0 while nobody listens."""
    try:
        async with http.get(url) as response:
            return response.status
    except ClientConnectionError:
        return 0


async def ended(process: Running) -> str:
    """Stop it as a host does; its log."""
    process.send_signal(signal.SIGTERM)
    async with asyncio.timeout(PATIENCE):
        _, err = await process.communicate()
    assert process.returncode == 0
    return err.decode()


async def test_it_says_when_it_is_ready_what_it_counted_and_ends_with_0(
    program: Program, slack: SlackPeer, endpoint: Endpoint, site: str
) -> None:
    process = await program.start("run")
    await until_ready(site, process)
    thread = slack.say("C0GENERAL", "U0ANNA", f"{slack.mention} hello")
    await slack.until(lambda: len(slack.transcript("C0GENERAL", thread)) > 1)
    async with ClientSession() as http:
        await slack.until_quiet()
        async with http.get(f"{site}/metrics") as response:
            counted = await response.text()
    log = await ended(process)
    assert "moorings_turn_seconds_count" in counted
    assert "moorings_leases_held" in counted
    assert "/readyz" not in log
    assert slack.bot_token not in log


async def test_a_port_that_is_taken_is_one_plain_sentence(
    program: Program, slack: SlackPeer, endpoint: Endpoint
) -> None:
    with socket.create_server(("", 0)) as other:
        program.set(PORT=str(other.getsockname()[1]))
        found = await program.run("run")
    assert found.code == 1
    assert found.err.splitlines()[-1].startswith("moorings: PORT ")
    assert "Traceback" not in found.err


def without_its_folder(file: Path) -> None:
    """As when somebody cleans up."""
    shutil.rmtree(file.parent)


def replaced(file: Path) -> None:
    """As when a backup is put in its place."""
    copy = shutil.copy(file, file.with_name("copy.db"))
    Path(copy).rename(file)


@pytest.mark.parametrize("taken_away", [Path.unlink, without_its_folder, replaced])
async def test_a_database_that_is_taken_away_ends_it_with_a_sentence(
    program: Program,
    slack: SlackPeer,
    endpoint: Endpoint,
    site: str,
    taken_away: Callable[[Path], None],
) -> None:
    """What it would write to a file that nobody finds any more is lost."""
    (folder := program.folder / "data").mkdir()
    file = shutil.copy(program.folder / "moorings.db", folder)
    program.set(DATABASE_URL=f"sqlite://{file}")
    process = await program.start("run")
    await until_ready(site, process)
    taken_away(Path(file))
    ended = await process.ended()
    assert ended.code == 1
    assert ended.err.splitlines()[-1].startswith(f"moorings: The database file {file} is not")
    assert "Traceback" not in ended.err


async def test_sighup_reloads_the_agents_file_and_keeps_the_old_one_if_the_new_is_faulty(
    program: Program, slack: SlackPeer, endpoint: Endpoint, site: str
) -> None:
    file = program.folder / "agents.toml"
    file.write_text('[agents.assistant]\ninstructions = "Be short."\n')
    process = await program.start("run")
    await until_ready(site, process)
    file.write_text("[agents.assistant]\nmodl = 1\n")
    process.send_signal(signal.SIGHUP)
    assert "Be short." in await asked(slack, endpoint, "one")
    file.write_text('[agents.assistant]\ninstructions = "Be long."\n')
    process.send_signal(signal.SIGHUP)
    async with asyncio.timeout(PATIENCE):
        while "Be long." not in await asked(slack, endpoint, "two"):
            continue  # the next one may be
    log = await ended(process)
    assert "agents.toml:2: agents.assistant.modl: unknown key" in log
    assert log.count("agents file reloaded") == 1


async def asked(slack: SlackPeer, endpoint: Endpoint, text: str) -> str:
    """What the model is shown of a question in a channel, once it is answered."""
    before = len(endpoint.requests)
    thread = slack.say("C0GENERAL", "U0ANNA", f"{slack.mention} {text}")
    await slack.until(lambda: len(slack.transcript("C0GENERAL", thread)) > 1)
    await endpoint.arrived(before + 1)
    return json.dumps(endpoint.requests[before])
