"""A process that was suspended past its lease says nothing to a platform any more."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import ClientSession, TCPConnector, web
from aiohttp.test_utils import TestServer

from bots.requests import guard
from core.clock import now
from core.turn.held_lease import HeldLease
from storage.errors import LeaseLost
from storage.lease import Lease
from tests.bots.discord import adapter_helpers as discord_helpers
from tests.bots.slack.outward import CHANNEL, adapter_of, client_of, outgoing
from tests.peers.discord.peer import DiscordPeer
from tests.peers.slack.peer import SlackPeer

SECONDS = 0.1


@pytest.fixture
def hold() -> HeldLease:
    """A hold that nobody renews."""
    lease = Lease(
        conversation_id=1, agent_id=1, address="slack/T1/C1", opened_by="", token=1, seconds=SECONDS
    )
    return HeldLease(lease, now)


async def test_what_waited_for_slacks_limits_too_long_is_not_posted(hold: HeldLease) -> None:
    async with SlackPeer() as slack, client_of(slack) as client:
        adapter = adapter_of(client)
        client.rates.block("T0001", "chat.postMessage", CHANNEL, 2 * SECONDS)
        hold.check()
        with hold.in_force(), pytest.raises(LeaseLost):
            await adapter.post(outgoing())
        assert not slack.transcript(CHANNEL)
        assert await adapter.post(outgoing())


async def test_what_waited_for_a_connection_too_long_is_not_sent(hold: HeldLease) -> None:
    arrived: list[str] = []
    has_arrived, may_answer = asyncio.Event(), asyncio.Event()

    async def answer(request: web.Request) -> web.Response:
        arrived.append(request.path)
        has_arrived.set()
        await may_answer.wait()
        return web.Response()

    app = web.Application()
    app.router.add_get("/{name}", answer)
    only_one = TCPConnector(limit=1)
    async with (
        TestServer(app) as server,
        ClientSession(connector=only_one, trace_configs=[guard()]) as http,
        asyncio.TaskGroup() as group,
    ):
        first = group.create_task(http.get(server.make_url("/first")))
        await has_arrived.wait()
        with hold.in_force():
            second = group.create_task(_refused(http, str(server.make_url("/second"))))
        asyncio.get_running_loop().call_later(2 * SECONDS, may_answer.set)
        (await first).close()
        await second
    assert arrived == ["/first"]


async def _refused(http: ClientSession, url: str) -> None:
    with pytest.raises(LeaseLost):
        await http.get(url)


async def test_what_waited_for_discords_limits_too_long_is_not_posted(hold: HeldLease) -> None:
    async with DiscordPeer() as discord, discord_helpers.rest_of(discord) as rest:
        adapter = discord_helpers.adapter_of(rest)
        discord.fault("messages.create", "ratelimited", times=1, retry_after=2 * SECONDS)
        with hold.in_force(), pytest.raises(LeaseLost):
            await adapter.post(discord_helpers.outgoing(discord))
        assert not discord.transcript(discord.general)
        assert await adapter.post(discord_helpers.outgoing(discord))
