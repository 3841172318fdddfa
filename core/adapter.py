"""The way out to a platform: what every adapter can do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from core.messages import Outgoing


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one message of a platform can hold, and how often it may be edited.

    `text_length` is in characters. `seconds_between_edits` is None where an answer is not
    shown while it grows.
    """

    text_length: int
    seconds_between_edits: float | None


class Adapter(Protocol):
    """Delivers answers to one platform. Every call can be made twice.

    All raise `Transient` for what may work later and `DeliveryRefused` for what will not.
    """

    @property
    def limits(self) -> Limits:
        """What a message can hold here."""
        ...

    async def post(self, outgoing: Outgoing) -> str:
        """Make a new message and return the platform's id for it."""
        ...

    async def edit(self, message_id: str, outgoing: Outgoing) -> str:
        """Replace the message's text; returns its id, a new one where it had to be made anew."""
        ...

    async def find(self, outgoing: Outgoing) -> str | None:
        """The id of the message that an earlier `post` of the same key made, if it did."""
        ...
