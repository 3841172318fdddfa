"""Messages to be delivered: the intent before the effect, the receipt after it."""

from __future__ import annotations

from datetime import datetime

from storage.drivers.script import Script, changed, reading_script, script, select, whole
from storage.drivers.transaction import write_first
from storage.lease import Lease, fence, held, left
from storage.models import OutboxMessage, OutboxState

_DUE = f"{select(OutboxMessage)} WHERE conversation_id = ? AND state = 'due' ORDER BY turn_id, part"
_BEGUN = "UPDATE outbox SET attempts = attempts + 1, tried_at = ? WHERE id = ?"
_FAILED = "UPDATE outbox SET failures = failures + 1 WHERE id = ?"
_OPENED = "UPDATE outbox SET message_id = ? WHERE id = ?"
_DELIVERED = "UPDATE outbox SET state = 'delivered', message_id = ?, delivered_at = ? WHERE id = ?"


def all_due(conversation_id: int) -> Script[list[OutboxMessage]]:
    """What a conversation has to deliver, in order; inside of the caller's script."""
    return (yield from whole(OutboxMessage, _DUE, conversation_id))


@reading_script
def due(conversation_id: int) -> Script[list[OutboxMessage]]:
    """What a conversation has to deliver, in order."""
    return (yield from all_due(conversation_id))


@script
def begin(lease: Lease, *, outbox_id: int, now: datetime) -> Script[None]:
    """Record that the message is about to be posted: from now on it may be there.

    Raises:
        LeaseLost: somebody else has claimed the conversation since.
    """
    yield from held(lease)
    yield from changed(_BEGUN, now, outbox_id)


@script
def fail(lease: Lease, *, outbox_id: int) -> Script[None]:
    """Record that the platform did not take the finished message.

    Raises:
        LeaseLost: somebody else has claimed the conversation since.
    """
    yield from held(lease)
    yield from changed(_FAILED, outbox_id)


@script
def opened(lease: Lease, *, outbox_id: int, message_id: str) -> Script[None]:
    """Record the platform's id of a message whose text still grows.

    Raises:
        LeaseLost: somebody else has claimed the conversation since.
    """
    yield from held(lease)
    yield from changed(_OPENED, message_id, outbox_id)


@script
def delivered(
    lease: Lease, *, outbox_id: int, message_id: str, now: datetime, leaves: bool = False
) -> Script[bool]:
    """Record the receipt; with `leaves`, give the conversation back if nothing waits in it then.

    Returns whether it was given back.

    Raises:
        LeaseLost: somebody else has claimed the conversation since.
    """
    yield from held(lease)
    yield from changed(_DELIVERED, message_id, now, outbox_id)
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
