"""Slack and Discord, served by one process: all of `moorings run` against both peers."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import AsyncIterator

import pytest
from aiohttp import ClientSession
from filelock import FileLock
from pydantic import SecretStr

from bots.serve import serve
from core.config.settings import Settings
from core.errors import ConfigMistake
from tests.bots.cli.test_run import ended, status, until_ready
from tests.bots.program import Program
from tests.patience import PATIENCE
from tests.peers.cable import Cable
from tests.peers.discord.peer import DiscordPeer
from tests.peers.endpoint import Endpoint, Reply
from tests.peers.slack.peer import SlackPeer


@pytest.fixture
async def slack(program: Program, endpoint: Endpoint) -> AsyncIterator[SlackPeer]:
    """A workspace that the program has the tokens for."""
    async with SlackPeer() as slack:
        program.set(
            SLACK_BOT_TOKEN=slack.bot_token,
            SLACK_APP_TOKEN=slack.app_token,
            SLACK_API_URL=slack.api_url,
        )
        yield slack


@pytest.fixture
async def discord(program: Program, endpoint: Endpoint) -> AsyncIterator[DiscordPeer]:
    """A server that the program has the token for."""
    async with DiscordPeer() as discord:
        program.set(DISCORD_TOKEN=discord.token, DISCORD_API_URL=discord.api_url)
        yield discord


async def readiness(site: str) -> tuple[int, dict[str, str]]:
    """What the program says of it."""
    async with ClientSession() as http, http.get(f"{site}/readyz") as response:
        found: dict[str, str] = await response.json()
        return response.status, found


@pytest.mark.usefixtures("never_ran")
async def test_one_process_answers_on_both(
    program: Program, slack: SlackPeer, discord: DiscordPeer, site: str
) -> None:
    process = await program.start("run")
    await until_ready(site, process)
    thread = slack.say("C0GENERAL", "U0ANNA", f"{slack.mention} hello Slack")
    question = discord.say(discord.general, discord.anna, f"{discord.mention} hello Discord")
    await slack.until(lambda: len(slack.transcript("C0GENERAL", thread)) > 1)
    await discord.until(lambda: discord.answers(question))
    parts = ("database", "slack", "discord", "worker")
    assert (await readiness(site))[1] == dict.fromkeys(parts, "ok")
    log = await ended(process)
    assert discord.token not in log


async def test_the_operator_may_have_a_port_of_his_own(
    program: Program, discord: DiscordPeer, site: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        own = free.getsockname()[1]
    program.set(MOORINGS_ADMIN_PORT=str(own))
    process = await program.start("run")
    await until_ready(f"http://127.0.0.1:{own}", process)
    async with ClientSession() as http:
        found = {
            (path, where): await status(http, f"{where}{path}")
            for path in ("/healthz", "/readyz", "/metrics")
            for where in (site, f"http://127.0.0.1:{own}")
        }
    assert [found[path, site] for path in ("/healthz", "/readyz", "/metrics")] == [200, 404, 404]
    assert list(found.values())[1::2] == [200, 200, 200]
    await ended(process)


async def test_one_process_hears_and_another_one_answers(
    program: Program, slack: SlackPeer, discord: DiscordPeer
) -> None:
    ears = [await program.start("run", "--only", platform) for platform in ("slack", "discord")]
    await slack.until_connected(2)
    await discord.until_connected(1)
    thread = slack.say("C0GENERAL", "U0ANNA", f"{slack.mention} hello Slack")
    question = discord.say(discord.general, discord.anna, f"{discord.mention} hello Discord")
    await slack.until_quiet()
    worker = await program.start("run", "--only", "worker")
    await slack.until(lambda: len(slack.transcript("C0GENERAL", thread)) > 1)
    await discord.until(lambda: discord.answers(question))
    for process in (*ears, worker):
        await ended(process)
    assert len(discord.answers(question)) == 1


async def test_a_role_without_its_tokens_is_refused(program: Program, discord: DiscordPeer) -> None:
    found = await program.run("run", "--only", "slack")
    assert found.code == 1
    assert "set SLACK_BOT_TOKEN" in found.err


async def test_discord_alone_is_served(program: Program, discord: DiscordPeer, site: str) -> None:
    process = await program.start("run")
    await until_ready(site, process)
    assert (await readiness(site))[1] == {"database": "ok", "discord": "ok", "worker": "ok"}
    await ended(process)


async def test_readiness_says_which_of_the_two_is_missing(
    program: Program, slack: SlackPeer, discord: DiscordPeer, site: str
) -> None:
    process = await program.start("run")
    await until_ready(site, process)
    await discord.down()
    async with asyncio.timeout(PATIENCE):
        while (found := await readiness(site))[0] == 200:  # noqa: ASYNC110  # another process
            await asyncio.sleep(0.05)
    assert found[0] == 503
    assert [part for part, state in found[1].items() if state != "ok"] == ["discord"]
    await discord.up()
    await ended(process)


async def test_a_wrong_token_is_told_though_the_other_platform_cannot_be_reached(
    program: Program, slack: SlackPeer, discord: DiscordPeer
) -> None:
    discord.spoil_token()
    program.set(SLACK_API_URL="http://127.0.0.1:1/api/")
    found = await program.run("run")
    assert found.code == 1
    assert found.err.splitlines()[-1].startswith("moorings: Discord does not accept the bot token")
    assert "Traceback" not in found.err


async def test_what_was_opened_is_closed_where_the_other_has_a_wrong_token(
    slack: SlackPeer, discord: DiscordPeer, filled_url: str
) -> None:
    discord.spoil_token()
    settings = Settings(
        database_url=filled_url,
        slack_bot_token=SecretStr(slack.bot_token),
        slack_app_token=SecretStr(slack.app_token),
        slack_api_url=slack.api_url,
        discord_token=SecretStr("MTIz.Gpeer.none"),
        discord_api_url=discord.api_url,
    )
    with pytest.raises(ConfigMistake, match="set DISCORD_TOKEN"):
        await serve(settings)


async def test_half_of_slack_is_told_beside_discord(
    program: Program, slack: SlackPeer, discord: DiscordPeer
) -> None:
    program.set(SLACK_BOT_TOKEN="")
    found = await program.run("run")
    assert found.code == 1
    assert "SLACK_APP_TOKEN is set without SLACK_BOT_TOKEN" in found.err


async def test_it_can_be_stopped_while_a_platform_cannot_be_reached(
    program: Program, slack: SlackPeer, discord: DiscordPeer
) -> None:
    program.set(SLACK_API_URL="http://127.0.0.1:1/api/")
    process = await program.start("run")
    async with asyncio.timeout(PATIENCE):
        while b"waiting for Slack" not in await process.stderr.readline():
            pass
    await ended(process)


@pytest.mark.usefixtures("never_ran")
async def test_it_can_be_stopped_while_another_process_migrates(
    program: Program, discord: DiscordPeer
) -> None:
    file = program.folder / "moorings.db"
    program.set(DATABASE_URL=f"sqlite://{file}")
    with FileLock(f"{file}-migrating.lock"):
        process = await program.start("run")
        async with asyncio.timeout(PATIENCE):
            while not file.exists():  # noqa: ASYNC110  # another process
                await asyncio.sleep(0.02)
        await ended(process)


async def test_it_can_be_stopped_while_the_database_server_says_nothing(
    program: Program, discord: DiscordPeer
) -> None:
    is_asked = asyncio.Event()

    async def say_nothing(asking: asyncio.StreamReader, answering: asyncio.StreamWriter) -> None:
        is_asked.set()
        await asking.read()
        answering.close()

    async with await asyncio.start_server(say_nothing, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        program.set(DATABASE_URL=f"postgres://somebody@127.0.0.1:{port}/moorings")
        process = await program.start("run")
        async with asyncio.timeout(PATIENCE):
            await is_asked.wait()
        await ended(process)


@pytest.mark.parametrize("url", ["postgres", "mysql"], indirect=True)
async def test_cut_off_from_the_database_it_ends_in_the_time_that_hosts_are_told_to_give(
    program: Program,
    discord: DiscordPeer,
    slack: SlackPeer,
    endpoint: Endpoint,
    site: str,
    url: str,
) -> None:
    """It looks for work, answers, and is told more."""
    async with Cable(url) as cable:
        program.set(DATABASE_URL=cable.url, MOORINGS_DRAIN_SECONDS="1")
        process = await program.start("run")
        await until_ready(site, process)
        endpoint.script(Reply(text="so many words " * 50, pause=0.2))
        discord.say(discord.general, discord.anna, f"{discord.mention} hello Discord")
        await endpoint.arrived()
        cable.cut()
        slack.say("C0GENERAL", "U0ANNA", f"{slack.mention} hello Slack")
        discord.say(discord.general, discord.ben, f"{discord.mention} hello again")
        await asyncio.sleep(1)  # longer than it waits between two looks, mostly
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(1 + 25):
            _, err = await process.communicate()
        assert process.returncode == 0, err
        assert b"Traceback" not in err
        cable.heal()
