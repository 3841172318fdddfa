"""Messages to be delivered: the intent before the effect, the receipt after it."""

from __future__ import annotations

import secrets
from datetime import datetime

from storage.drivers.internals import as_read, listed
from storage.drivers.script import (
    Script,
    changed,
    dialect,
    one_statement,
    reading_script,
    script,
    select,
    whole,
)
from storage.drivers.transaction import write_first
from storage.lease import IF_HELD, Lease, fence, fenced, leaving, left
from storage.models import OutboxMessage, OutboxState

_DUE = f"{select(OutboxMessage)} WHERE conversation_id = ? AND state = 'due' ORDER BY turn_id, part"
_BEGUN = f"UPDATE outbox SET attempts = attempts + 1, tried_at = ? WHERE id = ?{IF_HELD}"  # noqa: S608  # as above
_FAILED = f"UPDATE outbox SET failures = failures + 1 WHERE id = ?{IF_HELD}"  # noqa: S608  # text of ours
_OPENED = f"UPDATE outbox SET message_id = ? WHERE id = ?{IF_HELD}"  # noqa: S608  # text of ours
_RECEIPT = "UPDATE outbox SET state = 'delivered', message_id = ?, delivered_at = ? WHERE id = ?"
_DELIVERED = f"{_RECEIPT}{IF_HELD}"
# All that may keep the conversation is looked at before its row is locked. Whoever has stored a
# message meanwhile has written that row anew: then nothing is done.
_DELIVERED_AND_LEFT = (
    f"WITH gone AS ({leaving(' AND id <> ?')} AND token = ?"  # noqa: S608  # as above
    " AND xmin = (SELECT xmin FROM conversation WHERE id = ?) RETURNING id)"
    f" {_RECEIPT} AND EXISTS (SELECT id FROM gone)"
)


@reading_script
def due(conversation_id: int) -> Script[list[OutboxMessage]]:
    """What a conversation has to deliver, in order."""
    return (yield from whole(OutboxMessage, _DUE, conversation_id))


@one_statement
def begin(lease: Lease, *, outbox_id: int, now: datetime) -> Script[None]:
    """Record that the message is about to be posted: from now on it may be there.

    Raises:
        LeaseLost: somebody else has claimed the conversation since.
    """
    yield from fenced(lease, _BEGUN, now, outbox_id)


@one_statement
def fail(lease: Lease, *, outbox_id: int) -> Script[None]:
    """Record that the platform did not take the finished message.

    Raises:
        LeaseLost: somebody else has claimed the conversation since.
    """
    yield from fenced(lease, _FAILED, outbox_id)


@one_statement
def opened(lease: Lease, *, outbox_id: int, message_id: str) -> Script[None]:
    """Record the platform's id of a message whose text still grows.

    Raises:
        LeaseLost: somebody else has claimed the conversation since.
    """
    yield from fenced(lease, _OPENED, message_id, outbox_id)


async def delivered(
    lease: Lease, *, outbox_id: int, message_id: str, now: datetime, leaves: bool = False
) -> bool:
    """Record the receipt; with `leaves`, give the conversation back if nothing waits in it then.

    Returns whether it was given back.

    Raises:
        LeaseLost: somebody else has claimed the conversation since.
    """
    receipt = (lease, outbox_id, message_id, now)
    if leaves and dialect() == "postgres" and await _delivered_and_left(*receipt):
        return True
    return await _delivered(*receipt, leaves=leaves)


@one_statement
def _delivered_and_left(
    lease: Lease, outbox_id: int, message_id: str, now: datetime
) -> Script[bool]:
    """Both, or nothing, as where the lease is lost or more waits; only PostgreSQL can do it."""
    where = lease.conversation_id
    idle = (where, where, where, outbox_id, lease.token, where)
    return bool((yield from changed(_DELIVERED_AND_LEFT, *idle, message_id, now, outbox_id)))


@script
def _delivered(
    lease: Lease, outbox_id: int, message_id: str, now: datetime, *, leaves: bool
) -> Script[bool]:
    yield from fenced(lease, _DELIVERED, message_id, now, outbox_id)
    return leaves and (yield from left(lease))


@write_first
async def bury(lease: Lease, *, outbox_id: int, now: datetime) -> None:
    """Give the message up: the platform refuses it for good.

    Raises:
        LeaseLost: somebody else has claimed the conversation since.
    """
    await fence(lease, now)
    await OutboxMessage.filter(id=outbox_id).update(state=OutboxState.DEAD)


_OF_TURN = f"{select(OutboxMessage)} WHERE turn_id = ? ORDER BY part"


@reading_script
def of_turn(turn_id: int) -> Script[list[OutboxMessage]]:
    """The visible messages of one answer, in order."""
    return (yield from whole(OutboxMessage, _OF_TURN, turn_id))


def due_now(
    draft: OutboxMessage, text: str, message_id: str | None, intended_at: datetime | None
) -> OutboxMessage:
    """The row of a draft after the end of its turn, which made it due."""
    known = {name: getattr(draft, name) for name in listed(OutboxMessage)}
    known |= {"text": text, "state": OutboxState.DUE, "message_id": message_id}
    known |= {"attempts": draft.attempts + 1, "tried_at": intended_at or draft.tried_at}
    return as_read(OutboxMessage, known.values())


def new_key() -> str:
    """A key that no other database has used: platforms keep it with the message."""
    return secrets.token_hex(8)
