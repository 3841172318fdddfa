"""A process that was suspended past its lease says nothing to a platform any more."""

from __future__ import annotations

import pytest

from core.clock import now
from core.hold import Hold
from storage.errors import LeaseLost
from storage.lease import Lease
from tests.bots.discord import outward as discord_outward
from tests.bots.slack.outward import CHANNEL, adapter_of, client_of, outgoing
from tests.peers.discord.peer import DiscordPeer
from tests.peers.slack.peer import SlackPeer

SECONDS = 0.1


@pytest.fixture
def hold() -> Hold:
    """A hold that nobody renews."""
    lease = Lease(
        conversation_id=1, agent_id=1, address="slack/T1/C1", opened_by="", token=1, seconds=SECONDS
    )
    return Hold(lease, now)


async def test_what_waited_for_slacks_limits_too_long_is_not_posted(hold: Hold) -> None:
    async with SlackPeer() as slack, client_of(slack) as client:
        adapter = adapter_of(client)
        client.rates.block("T0001", "chat.postMessage", CHANNEL, 2 * SECONDS)
        hold.check()
        with hold.in_force(), pytest.raises(LeaseLost):
            await adapter.post(outgoing())
        assert not slack.transcript(CHANNEL)
        assert await adapter.post(outgoing())


async def test_what_waited_for_discords_limits_too_long_is_not_posted(hold: Hold) -> None:
    async with DiscordPeer() as discord, discord_outward.rest_of(discord) as rest:
        adapter = discord_outward.adapter_of(rest)
        discord.fault("messages.create", "ratelimited", times=1, retry_after=2 * SECONDS)
        with hold.in_force(), pytest.raises(LeaseLost):
            await adapter.post(discord_outward.outgoing(discord))
        assert not discord.transcript(discord.general)
        assert await adapter.post(discord_outward.outgoing(discord))
