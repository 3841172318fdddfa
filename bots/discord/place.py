"""Where an answer stands: the channel or thread, and what it replies to there."""

from __future__ import annotations

from dataclasses import dataclass

from bots.discord.anchor import Anchor
from core.messaging.messages import Outgoing

_DIRECT = "@me"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """`channel` may be a thread; `question` is the message there that is replied to.

    `beside` is the place of the question where `channel` is the thread that is opened from it:
    there the answer stands if the thread cannot be opened.
    """

    channel: int
    guild: int | None
    question: int | None = None
    beside: Place | None = None

    @property
    def oldest(self) -> int:
        """An id that every answer here is later than."""
        asked = self.beside or self
        return asked.question or 0


def place_of(outgoing: Outgoing) -> Place:
    """As its address and what it replies to say."""
    server, channel, *_ = outgoing.address.parts
    guild = None if server == _DIRECT else int(server)
    if outgoing.reply_to is None:
        return Place(channel=int(outgoing.address.parts[-1]), guild=guild)
    anchor = Anchor.parse(outgoing.reply_to)
    if not anchor.opens_thread:
        return Place(channel=anchor.channel, guild=guild, question=anchor.message)
    beside = Place(channel=int(channel), guild=guild, question=anchor.message)
    return Place(channel=anchor.channel, guild=guild, beside=beside)
