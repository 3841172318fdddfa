"""Delivers the outbox of a conversation in order, each message once."""

from __future__ import annotations

import logging
from datetime import timedelta

from core import faults, metrics
from core.adapter import Adapter
from core.address import Address
from core.errors import DeliveryRefused, Transient
from core.messages import Outgoing
from core.stray import contained
from core.turn.hold import Hold
from storage import outbox, turns
from storage.errors import StorageError
from storage.models import OutboxMessage

log = logging.getLogger(__name__)

_MOST_TRIES = 12
_PATIENCE = timedelta(hours=24)  # with a platform that cannot take an answer
_LONGEST_WAIT = 60.0  # seconds between two tries


async def deliver(hold: Hold, adapter: Adapter, agent_name: str) -> None:
    """Deliver everything that is due, or raise before anything later overtakes it.

    Raises:
        Transient: the platform cannot take it now.
        LeaseLost: somebody else delivers.
    """
    for row in await outbox.due(hold.lease.conversation_id):
        try:
            with contained():
                message_id = await _deliver(hold, adapter, row, outgoing_of(row, hold, agent_name))
        except StorageError:
            raise
        except Transient as error:
            await _try_later(hold, row, error, patience=_PATIENCE)
        except DeliveryRefused as error:
            await _bury(hold, row, str(error))
        except Exception as error:
            log.exception("delivery failed", extra={"outbox": row.id})
            broken = Transient(f"unexpected {type(error).__name__}")
            await _try_later(hold, row, broken, patience=timedelta(0))
        else:
            faults.reach("delivered, not recorded")
            await _delivered(hold, row, message_id)
            faults.reach("delivered")
            metrics.DELIVERIES.labels(outcome="delivered").inc()
            log.info("delivered", extra={"outbox": row.id, "turn": row.turn_id})


def outgoing_of(row: OutboxMessage, hold: Hold, agent_name: str) -> Outgoing:
    """An outbox row as the platform gets it."""
    return Outgoing(
        key=row.key,
        address=Address.parse(hold.lease.address),
        agent=agent_name,
        text=row.text,
        reply_to=row.reply_to,
        is_final=True,
        tried_at=row.tried_at,
    )


async def _deliver(hold: Hold, adapter: Adapter, row: OutboxMessage, outgoing: Outgoing) -> str:
    message_id, is_first_try = row.message_id, not row.attempts
    is_post = message_id is None and is_first_try
    await outbox.begin(hold.lease, outbox_id=row.id, is_post=is_post, now=hold.now())
    row.attempts += 1
    faults.reach("delivery intended")
    if message_id is None and not is_first_try:
        message_id = await adapter.find(outgoing)
        if message_id is None:
            await outbox.begin_again(hold.lease, outbox_id=row.id, now=hold.now())
            faults.reach("looked for in vain")
    hold.check()
    if message_id:
        return await adapter.edit(message_id, outgoing)
    return await adapter.post(outgoing)


async def _delivered(hold: Hold, row: OutboxMessage, message_id: str) -> None:
    await hold.insist(
        lambda _: outbox.delivered(
            hold.lease, outbox_id=row.id, message_id=message_id, now=hold.now()
        )
    )


async def _try_later(
    hold: Hold, row: OutboxMessage, error: Transient, *, patience: timedelta
) -> None:
    """Raise, with the wait before the next try; tried often and long enough, it is given up."""
    if row.attempts >= _MOST_TRIES and await _age(hold, row) >= patience:
        await _bury(hold, row, str(error))
        return
    metrics.DELIVERIES.labels(outcome="put_off").inc()
    wait = error.retry_after or min(2.0 ** min(row.attempts, 9), _LONGEST_WAIT)
    raise Transient(str(error), retry_after=wait) from error


async def _age(hold: Hold, row: OutboxMessage) -> timedelta:
    """How long ago the answer was there to be delivered."""
    turn = await turns.by_id(row.turn_id)
    return hold.now() - (turn.ended_at or turn.opened_at)


async def _bury(hold: Hold, row: OutboxMessage, why: str) -> None:
    metrics.DELIVERIES.labels(outcome="given_up").inc()
    log.error("delivery given up", extra={"outbox": row.id, "turn": row.turn_id, "why": why})
    await outbox.bury(hold.lease, outbox_id=row.id, now=hold.now())
