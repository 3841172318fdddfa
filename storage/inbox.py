"""Messages received and not yet answered, each under the platform's own identity of it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime

from tortoise.exceptions import IntegrityError
from tortoise.functions import Coalesce

from storage.lease import milliseconds
from storage.models import Conversation, InboxMessage, InboxState
from storage.transaction import reading, transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A message as it came in; `position` orders those of a conversation as the platform does."""

    key: str
    conversation_id: int
    position: int
    author_id: str
    author: str
    text: str
    reply_to: str | None
    sent_at: datetime


async def add(received: Received, now: datetime) -> bool:
    """Store a message and make its conversation claimable; False if its key is known already.

    When this returns, the message survives whatever happens: now the platform may be told.
    """
    try:
        await _add(received, now)
    except IntegrityError:
        return False
    return True


@transaction
async def _add(received: Received, now: datetime) -> None:
    # The conversation's row first: it orders this against a claim and a release.
    await Conversation.filter(id=received.conversation_id).update(
        ready_at=Coalesce("ready_at", milliseconds(now))
    )
    await InboxMessage.create(**asdict(received), state=InboxState.WAITING, received_at=now)


@reading
async def by_key(key: str) -> InboxMessage | None:
    """The message with this key, if it was received."""
    return await InboxMessage.get_or_none(key=key)


@reading
async def unanswered(conversation_id: int) -> list[InboxMessage]:
    """What still has to be answered, in the platform's order."""
    return await InboxMessage.filter(
        conversation_id=conversation_id, state__in=[InboxState.WAITING, InboxState.TAKEN]
    ).order_by("position", "id")
