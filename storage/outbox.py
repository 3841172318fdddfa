"""Messages to be delivered: the intent before the effect, the receipt after it."""

from __future__ import annotations

from datetime import datetime

from tortoise.expressions import F

from storage.lease import Lease, fence
from storage.models import OutboxMessage, OutboxState
from storage.transaction import reading, write_first


@reading
async def due(conversation_id: int) -> list[OutboxMessage]:
    """What a conversation has to deliver, in order."""
    return await OutboxMessage.filter(
        conversation_id=conversation_id, state=OutboxState.DUE
    ).order_by("turn_id", "part")


@write_first
async def begin(lease: Lease, *, outbox_id: int, now: datetime) -> None:
    """Record that the message is about to be posted: from now on it may be there.

    Raises:
        LeaseLost: somebody else has claimed the conversation since.
    """
    await fence(lease, now)
    await OutboxMessage.filter(id=outbox_id).update(attempts=F("attempts") + 1, tried_at=now)


@write_first
async def fail(lease: Lease, *, outbox_id: int, now: datetime) -> None:
    """Record that the platform did not take the finished message.

    Raises:
        LeaseLost: somebody else has claimed the conversation since.
    """
    await fence(lease, now)
    await OutboxMessage.filter(id=outbox_id).update(failures=F("failures") + 1)


@write_first
async def opened(lease: Lease, *, outbox_id: int, message_id: str, now: datetime) -> None:
    """Record the platform's id of a message whose text still grows.

    Raises:
        LeaseLost: somebody else has claimed the conversation since.
    """
    await fence(lease, now)
    await OutboxMessage.filter(id=outbox_id).update(message_id=message_id)


@write_first
async def delivered(lease: Lease, *, outbox_id: int, message_id: str, now: datetime) -> None:
    """Record the receipt.

    Raises:
        LeaseLost: somebody else has claimed the conversation since.
    """
    await fence(lease, now)
    await OutboxMessage.filter(id=outbox_id).update(
        state=OutboxState.DELIVERED, message_id=message_id, delivered_at=now
    )


@write_first
async def bury(lease: Lease, *, outbox_id: int, now: datetime) -> None:
    """Give the message up: the platform refuses it for good.

    Raises:
        LeaseLost: somebody else has claimed the conversation since.
    """
    await fence(lease, now)
    await OutboxMessage.filter(id=outbox_id).update(state=OutboxState.DEAD)


@reading
async def of_turn(turn_id: int) -> list[OutboxMessage]:
    """The visible messages of one answer, in order."""
    return await OutboxMessage.filter(turn_id=turn_id).order_by("part")
