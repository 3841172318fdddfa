"""What the tests of the way out begin with: a client and an adapter on the peer's Slack."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bots.slack.adapter import SlackAdapter
from bots.slack.client import SlackClient
from bots.slack.messages import Persona
from bots.slack.rates import Rates
from core.address import Address
from core.messaging.messages import Outgoing
from tests.peers.slack.peer import SlackPeer

CHANNEL = "C0GENERAL"


@asynccontextmanager
async def client_of(
    slack: SlackPeer, *, seconds: float = 5, rates: Rates | None = None, token: str = ""
) -> AsyncIterator[SlackClient]:
    """A client with the bot's token, or another; `seconds` are for one call."""

    async def token_of(_: str) -> str:
        return token or slack.bot_token

    client = SlackClient(token_of, base_url=slack.api_url, timeout=seconds, rates=rates)
    yield client
    await client.close()


def adapter_of(client: SlackClient) -> SlackAdapter:
    """An adapter for an agent that appears as Ada."""
    return SlackAdapter(
        client, lambda name: Persona(name=name.title(), icon=":robot_face:"), settle_seconds=0.01
    )


def outgoing(
    text: str = "the answer",
    *,
    key: str = "k1",
    thread: str | None = None,
    is_final: bool = True,
    channel: str = CHANNEL,
) -> Outgoing:
    """An answer of the agent `ada`."""
    return Outgoing(
        key=key,
        address=Address(platform="slack", parts=("T0001", channel)),
        agent="ada",
        text=text,
        reply_to=thread,
        is_final=is_final,
    )
