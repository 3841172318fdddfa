"""Messages received and not yet answered, each under the platform's own identity of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime

from tortoise.exceptions import IntegrityError
from tortoise.queryset import QuerySet

from storage import allowances
from storage.allowances import Limit
from storage.drivers.script import (
    Script,
    added,
    changed,
    insert,
    reading_script,
    script,
    select,
    whole,
)
from storage.drivers.transaction import reading, transaction
from storage.errors import StorageError
from storage.lease import milliseconds
from storage.models import Conversation, InboxMessage, InboxState


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A message as it came in; `position` orders those of a conversation as the platform does.

    `thread` is the address of the one that it stands in or opens, `quotes` what it refers to.
    """

    key: str
    conversation_id: int
    position: int
    author_id: str
    author: str
    text: str
    reply_to: str | None
    sent_at: datetime
    attachments: list[dict[str, object]] = field(default_factory=list[dict[str, object]])
    thread: str | None = None
    quotes: list[dict[str, str]] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A conversation as this process has seen it."""

    id: int
    agent_id: int
    address: str
    readers: str


class Changed(StorageError):
    """The conversation is not as it is known, so nothing was stored."""


async def add(
    received: Received,
    now: datetime,
    limits: Sequence[Limit] = (),
    *,
    where: Known | None = None,
) -> bool:
    """Store a message and make its conversation claimable; False if its key is known already.

    When this returns, the message survives whatever happens: now the platform may be told.
    `where` is its conversation, for whoever has not read that just now.

    Raises:
        Changed: the conversation is not like `where` any more, or was removed.
        UsedUp: it is one too many for one of these limits, and is not stored.
    """
    try:
        await _add(received, now, limits, where)
    except IntegrityError:
        return False
    return True


_COLUMNS = (*(each.name for each in fields(Received)), "state", "received_at")
_READY = "UPDATE conversation SET ready_at = COALESCE(ready_at, ?) WHERE id = ?"
_READY_AS_KNOWN = f"{_READY} AND agent_id = ? AND address = ? AND readers = ?"
_ADD = insert(InboxMessage, _COLUMNS)


@script
def _add(
    received: Received, now: datetime, limits: Sequence[Limit], where: Known | None
) -> Script[None]:
    # The conversation's row first: it orders this against a claim and a release.
    known = (where.agent_id, where.address, where.readers) if where else ()
    ready = _READY_AS_KNOWN if where else _READY
    if not (yield from changed(ready, milliseconds(now), received.conversation_id, *known)):
        raise Changed("the conversation is not as it was: store the message again")
    values = [getattr(received, name) for name in _COLUMNS[:-2]]
    yield from added(_ADD, *values, InboxState.WAITING, now)
    # After it, so that what comes twice is counted once; for when it was said, so that what was
    # missed is not too much all at once, nor what was too much answered when it is read again.
    yield from allowances.count(limits, min(received.sent_at, now))


@transaction
async def change(key: str, text: str) -> bool:
    """Let a message that nobody has begun to answer say something else; False if it is too late."""
    return bool(await (await _still_waiting(key)).update(text=text))


@transaction
async def withdraw(key: str) -> bool:
    """Let a message that nobody has begun to answer go unanswered; False if it is too late."""
    return bool(await (await _still_waiting(key)).update(state=InboxState.WITHDRAWN, text=""))


async def _still_waiting(key: str) -> QuerySet[InboxMessage]:
    """The message if it waits, its conversation locked: nobody takes it meanwhile."""
    message = await InboxMessage.get_or_none(key=key)
    if message:
        await Conversation.select_for_update().get(id=message.conversation_id)
    return InboxMessage.filter(key=key, state=InboxState.WAITING)


@reading_script
def by_key(key: str) -> Script[InboxMessage | None]:
    """The message with this key, if it was received."""
    found = yield from whole(InboxMessage, _BY_KEY, key)
    return found[0] if found else None


_BY_KEY = f'{select(InboxMessage)} WHERE "key" = ?'


@reading
async def of_turn(turn_id: int) -> list[InboxMessage]:
    """The messages that a turn answers, in the platform's order."""
    return await InboxMessage.filter(turn_id=turn_id).order_by("position", "id")


@reading
async def is_first(key: str) -> bool:
    """Whether no message was received before this one that is answered at the same place."""
    message = await InboxMessage.get(key=key)
    return not await InboxMessage.filter(
        conversation_id=message.conversation_id, reply_to=message.reply_to, id__lt=message.id
    ).exists()


@reading
async def count_waiting() -> int:
    """How many messages nobody has begun to answer: only conversations with work are looked at."""
    busy = await Conversation.filter(ready_at__not_isnull=True).values_list("id", flat=True)
    return await InboxMessage.filter(conversation_id__in=busy, state=InboxState.WAITING).count()


@reading
async def unanswered(conversation_id: int) -> list[InboxMessage]:
    """What still has to be answered, in the platform's order."""
    return await InboxMessage.filter(
        conversation_id=conversation_id, state__in=[InboxState.WAITING, InboxState.TAKEN]
    ).order_by("position", "id")
