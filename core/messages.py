"""What crosses the border to a platform: a message in, an answer out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from core.address import Address


@dataclass(frozen=True, slots=True, kw_only=True)
class Author:
    """Who wrote: the platform's id, and the name that people see."""

    id: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """One message as a platform delivered it.

    `key` is the platform's own identity of the message, never that of an envelope, so that a
    second delivery has the same one. `position` orders the messages of an address as the
    platform does. `agent` names the agent that was addressed; None leaves it to the bindings.
    """

    key: str
    address: Address
    author: Author
    text: str
    sent_at: datetime
    position: int
    agent: str | None = None
    reply_to: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """One visible message of an answer.

    `key` is stable over every try, so that an adapter can give it to the platform and find
    the message again by it. `agent` is the name it appears under, `reply_to` the platform's
    id of the message it answers. `is_final` is False while the answer is still growing.
    """

    key: str
    address: Address
    agent: str
    text: str
    reply_to: str | None
    is_final: bool
