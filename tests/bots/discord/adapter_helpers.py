"""A REST client and an adapter on the peer's Discord, and answers to send with them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from bots.discord.adapter import DiscordAdapter
from bots.discord.channels import ReplyTo
from bots.discord.internals import point_at
from bots.discord.rest import Rest
from bots.discord.sent_messages import SentMessages
from core.address import Address
from core.messaging.messages import Outgoing
from tests.peers.discord.peer import DiscordPeer
from tests.peers.discord.transcript import Line


@asynccontextmanager
async def rest_of(discord: DiscordPeer, *, seconds: float = 10) -> AsyncIterator[Rest]:
    """A REST client, logged in as the peer's bot; `seconds` bound one call."""
    rest = await Rest.open(discord.token, discord.api_url, seconds=seconds)
    try:
        yield rest
    finally:
        await rest.close()
        point_at(None)


@contextmanager
def hurried(rest: Rest, seconds: float = 0.5) -> Iterator[None]:
    """A call in here is given so little time that what is silent is soon given up."""
    usual, rest._seconds = rest._seconds, seconds
    yield
    rest._seconds = usual


def adapter_of(rest: Rest, name: str | None = "Ada") -> DiscordAdapter:
    """An adapter that shows this name above every answer, or none."""
    return DiscordAdapter(rest, lambda _: name, SentMessages(rest))


def outgoing(
    discord: DiscordPeer,
    text: str = "the answer",
    *,
    key: str = "k1",
    channel: str = "",
    question: str | None = None,
    is_final: bool = True,
) -> Outgoing:
    """An answer of the agent `ada`, by default in #general and not as a reply."""
    channel = channel or discord.general
    place = discord.backend.world.channels[channel]
    reply_to = ReplyTo(channel=int(channel), message=int(question)) if question else None
    parents = (place.parent,) if place.is_thread else ()
    return Outgoing(
        key=key,
        address=Address(platform="discord", parts=(place.guild or "@me", *parents, channel)),
        agent="ada",
        text=text,
        reply_to=reply_to.key if reply_to else None,
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
        reply_to=ReplyTo(channel=int(question), message=int(question)).key,
        is_final=is_final,
    )


def bots(discord: DiscordPeer, channel: str = "") -> list[Line]:
    """The bot's messages, by default in #general."""
    lines = discord.transcript(channel or discord.general)
    return [line for line in lines if line.is_bot and line.kind == "message"]
