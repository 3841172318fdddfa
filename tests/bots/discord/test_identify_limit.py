"""Sessions are started no more often than Discord allows in a day, whatever restarts the bot."""

from __future__ import annotations

import asyncio
import logging

import pytest

from bots.discord.identify_limit import IdentifyLimit
from core.errors import ConfigMistake, Transient
from tests.bots.discord.adapter_helpers import rest_of
from tests.bots.discord.server import Server


async def test_while_plenty_is_left_nobody_waits(server: Server) -> None:
    server.discord.starts_left = 500
    async with rest_of(server.discord) as rest, asyncio.timeout(20):
        assert await IdentifyLimit(rest).wait() == server.discord.gateway.url


@pytest.mark.parametrize(("left", "seconds"), [(499, 29), (400, 36), (51, 282)])
async def test_less_is_spread_over_the_rest_of_the_day(
    server: Server, caplog: pytest.LogCaptureFixture, left: int, seconds: int
) -> None:
    """The peer's day has four hours left."""
    caplog.set_level(logging.INFO, "bots.discord.identify_limit")
    server.discord.starts_left = left
    said = await said_while_waiting(server, caplog)
    assert (said.levelname, said.__dict__["seconds"]) == ("INFO", seconds)


async def test_the_last_are_kept_until_the_reset(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    server.discord.starts_left = 50
    said = await said_while_waiting(server, caplog)
    assert (said.levelname, said.__dict__["seconds"]) == ("ERROR", 14_460)
    assert "something restarts too often" in said.message


async def test_a_bot_that_has_to_wait_does_not_connect(server: Server) -> None:
    server.discord.starts_left = 50
    async with server.bot(waits=False):
        await server.discord.until(lambda: server.discord.calls("gateway.bot"))
        assert not server.discord.identifies


async def test_sessions_that_discord_ends_are_not_begun_anew_for_ever(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    async with server.bot():
        server.discord.starts_left = 50
        server.discord.invalidate()
        await server.discord.until(lambda: "not connecting to Discord" in caplog.text)
    assert server.discord.identifies == 1


async def test_a_silent_discord_may_be_asked_again(server: Server) -> None:
    async with rest_of(server.discord) as rest:
        server.discord.fault("gateway.bot", "status", status=503)
        with pytest.raises(Transient):
            await IdentifyLimit(rest).wait()


async def test_a_revoked_token_is_known_before_a_session_is_started(server: Server) -> None:
    async with rest_of(server.discord) as rest:
        server.discord.spoil_token()
        with pytest.raises(ConfigMistake):
            await IdentifyLimit(rest).wait()


async def said_while_waiting(server: Server, caplog: pytest.LogCaptureFixture) -> logging.LogRecord:
    """The line with which the next start is put off."""
    async with rest_of(server.discord) as rest, asyncio.TaskGroup() as group:
        turn = group.create_task(IdentifyLimit(rest).wait())
        await server.discord.until(lambda: caplog.records)
        turn.cancel()
    return caplog.records[0]
