"""What the tests of the way out begin with: a client and an adapter on the peer's Discord."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bots.discord.adapter import DiscordAdapter
from bots.discord.anchor import Anchor
from bots.discord.echoes import Echoes
from bots.discord.internals import point_at
from bots.discord.rest import Rest
from core.address import Address
from core.messaging.messages import Outgoing
from tests.peers.discord.peer import DiscordPeer
from tests.peers.discord.transcript import Line


@asynccontextmanager
async def rest_of(discord: DiscordPeer, *, seconds: float = 10) -> AsyncIterator[Rest]:
    """Logged in as the peer's bot; `seconds` are for one call."""
    rest = await Rest.open(discord.token, discord.api_url, seconds=seconds)
    try:
        yield rest
    finally:
        await rest.close()
        point_at(None)


def adapter_of(rest: Rest, name: str | None = "Ada") -> DiscordAdapter:
    """An adapter for an agent that appears under this name."""
    return DiscordAdapter(rest, lambda _: name, Echoes())


def outgoing(
    discord: DiscordPeer,
    text: str = "the answer",
    *,
    key: str = "k1",
    channel: str = "",
    question: str | None = None,
    is_final: bool = True,
) -> Outgoing:
    """An answer of the agent `ada`, in #general unless told: to a question, or just so."""
    channel = channel or discord.general
    place = discord.backend.world.channels[channel]
    anchor = Anchor(channel=int(channel), message=int(question)) if question else None
    parents = (place.parent,) if place.is_thread else ()
    return Outgoing(
        key=key,
        address=Address(platform="discord", parts=(place.guild or "@me", *parents, channel)),
        agent="ada",
        text=text,
        reply_to=anchor.key if anchor else None,
        is_final=is_final,
    )


def in_thread(
    discord: DiscordPeer,
    question: str,
    text: str = "the answer",
    *,
    key: str = "k1",
    is_final: bool = True,
) -> Outgoing:
    """An answer in the thread that is opened from a question in #general."""
    return Outgoing(
        key=key,
        address=Address(platform="discord", parts=(discord.guild, discord.general, question)),
        agent="ada",
        text=text,
        reply_to=Anchor(channel=int(question), message=int(question)).key,
        is_final=is_final,
    )


def bots(discord: DiscordPeer, channel: str = "") -> list[Line]:
    """What the bot has said, in #general unless told."""
    lines = discord.transcript(channel or discord.general)
    return [line for line in lines if line.is_bot and line.kind == "message"]
