"""Who works on a conversation until when, with the token that fences everybody else off."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from storage.errors import LeaseLost
from storage.models import Conversation


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The right to write to one conversation, while nobody else has claimed it.

    `seconds` is how long it lasts after each write or renewal. `is_takeover`: whoever had it before
    never gave it back. `readers` is who can read what is said there, as it was when it was claimed.
    """

    conversation_id: int
    agent_id: int
    address: str
    opened_by: str
    token: int
    seconds: float
    is_takeover: bool = False
    readers: str = ""

    def expires(self, now: datetime) -> int:
        """When it lapses if it is renewed now, in ms since 1970."""
        return milliseconds(now) + int(self.seconds * 1000)


def milliseconds(moment: datetime) -> int:
    """A moment as the database orders it: ms since 1970."""
    return int(moment.timestamp() * 1000)


async def fence(lease: Lease, now: datetime) -> None:
    """Renew the lease, as the first statement of every write that needs it.

    The row stays locked to the end of the transaction.

    Raises:
        LeaseLost: somebody else has claimed the conversation since.
    """
    mine = Conversation.filter(id=lease.conversation_id, token=lease.token)
    if not await mine.update(ready_at=lease.expires(now)):
        raise LeaseLost(f"conversation {lease.conversation_id} is worked on by another process")
