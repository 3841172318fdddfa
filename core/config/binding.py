"""Which agent answers at an address, and how it behaves there."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from core.address import Address


class Listen(StrEnum):
    """What the agent answers: every message, those that name it, or only those.

    One that was named in a thread goes on there, except with `MENTION_ONLY`.
    """

    ALL = "all"
    MENTION = "mention"
    MENTION_ONLY = "mention-only"


class SharedBy(StrEnum):
    """Who shares one history."""

    CHANNEL = "channel"
    THREAD = "thread"
    USER = "user"


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """An agent at an address and everywhere below it; the longest matching address wins.

    `conversation` is None where the platform's default holds. What was said before `since` was
    not said to it, unless it was named. `bots`: it hears apps and workflows, too.
    """

    at: Address
    agent: str
    listen: Listen = Listen.MENTION
    conversation: SharedBy | None = None
    since: datetime | None = None
    bots: bool = False
