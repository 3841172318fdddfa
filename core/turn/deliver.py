"""Makes an answer visible: while it grows, and, from the outbox and in order, when it ended."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import zip_longest

from core import kill_points, metrics
from core.address import Address
from core.clock import monotonic
from core.errors import DeliveryRefused, Transient
from core.graphemes import head
from core.isolation import contained
from core.messaging.adapter import Adapter
from core.messaging.messages import Outgoing
from core.turn.held_lease import HeldLease
from storage import inbox, outbox, turns
from storage.errors import DatabaseBusy, StorageError
from storage.models import OutboxMessage

log = logging.getLogger(__name__)

_STUBBORN = 6  # failures, about a minute of them: whoever waits behind is tried, too
_MOST_FAILURES = 12
_PATIENCE = timedelta(hours=24)  # with a platform that cannot take an answer
_LONGEST_WAIT = 60.0  # seconds between two tries


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """What a conversation has to deliver, in order; without `rows` it is to be read.

    The post of the row with the id `intended` was intended just now, by this process: it has not
    been made.
    """

    rows: Sequence[OutboxMessage] | None = None
    intended: int | None = None


_UNREAD = Due()


class Visible:
    """One message of an answer, as people see it: posted once, then edited.

    Each post is intended in the database before it is made. One that may have arrived all the
    same, by whichever process, is looked for before another one is made.
    """

    def __init__(
        self,
        hold: HeldLease,
        adapter: Adapter,
        row: OutboxMessage,
        agent_name: str,
        *,
        is_intended: bool = False,
        is_last: bool = True,
    ) -> None:
        """`is_intended`: its post was intended just now, and has not been made.

        `is_last`: no other message of this answer comes after it.
        """
        self.row = row
        self.outgoing = Outgoing(
            key=row.key,
            address=Address.parse(hold.lease.address),
            agent=agent_name,
            text=row.text,
            reply_to=row.reply_to,
            is_final=True,
            is_first=row.part == 1,
            is_last=is_last,
            tried_at=row.tried_at,
        )
        self._hold = hold
        self._adapter = adapter
        self.message_id = row.message_id
        self.may_be_there = row.attempts > 0 and not is_intended
        self._is_intended = is_intended

    async def show(self, outgoing: Outgoing) -> str:
        """Let it look so; returns the platform's id of it.

        Raises:
            Transient, DeliveryRefused: as the adapter does.
            LeaseLost: somebody else may be showing it.
        """
        if self.message_id is None and self.may_be_there:
            self.message_id = await self._find(outgoing)
        if self.message_id is None:
            await self._intend()
            self._hold.check()
            self.message_id = await self._adapter.post(outgoing)
        else:
            self._hold.check()
            self.message_id = await self._adapter.edit(self.message_id, outgoing)
        return self.message_id

    async def preview(self, outgoing: Outgoing) -> None:
        """As `show`, and keep the id, so that whoever ends the turn edits the same message."""
        before = self.message_id
        message_id = await self.show(outgoing)
        if message_id != before:
            kill_points.reach("posted, not recorded")
            await outbox.opened(self._hold.lease, outbox_id=self.row.id, message_id=message_id)

    async def _find(self, outgoing: Outgoing) -> str | None:
        """What an earlier try posted. Its parts are posted in order: it comes after the others."""
        if self.row.part > 1:
            parts = await outbox.of_turn(self.row.turn_id)
            before = [each.message_id for each in parts if each.part < self.row.part]
            outgoing = replace(outgoing, follows=next(filter(None, reversed(before)), None))
        return await self._adapter.find(outgoing)

    async def _intend(self) -> None:
        if self._is_intended:
            self._is_intended = False
        else:
            await outbox.begin(self._hold.lease, outbox_id=self.row.id, now=self._hold.now())
        if self.may_be_there:
            kill_points.reach("looked for in vain")
        self.may_be_there = True
        kill_points.reach("post intended")


class Reply:
    """Shows an answer while it is being written.

    What it shows is a preview: when that fails, the finished answer is delivered all the same.
    """

    def __init__(
        self,
        adapter: Adapter,
        message: Visible,
        *,
        asked_by: str,
        above: str = "",
        alone: asyncio.Lock | None = None,
    ) -> None:
        """`above` is shown above the answer, and no part of it; `alone` is held while it shows."""
        self.text = ""
        self.above = above
        self._alone = alone or asyncio.Lock()
        self.to = replace(message.outgoing, text="", is_final=False, asked_by=asked_by)
        self._adapter = adapter
        self._message = message
        self._interval = adapter.limits.seconds_between_edits
        self._next_at = 0.0

    async def show(self, text: str) -> None:
        """The answer as far as it has grown; shown now, or with a later call.

        Raises:
            LeaseLost: somebody else writes this answer now.
        """
        self.text = text
        await self._preview(text)

    async def tell(self, notice: str) -> None:
        """Say below it why it does not grow; raises as `show`."""
        text = f"{self.text}\n\n{notice}" if self.text else notice
        await self._preview(text, is_notice=True)

    async def _preview(self, text: str, *, is_notice: bool = False) -> None:
        if self._interval is None or monotonic() < self._next_at or not text:
            return
        outgoing = replace(self.to, text=self._clipped(f"{self.above}{text}"), is_notice=is_notice)
        if not self._adapter.may_preview(outgoing):
            return
        try:
            async with self._alone:
                await self._message.preview(outgoing)
        except (Transient, DeliveryRefused, DatabaseBusy) as error:
            extra = {"outbox": self._message.row.id, "why": str(error)}
            log.warning("preview failed", extra=extra)
            self._next_at = monotonic() + 10 * max(self._interval, 1)
        else:
            self._next_at = monotonic() + self._interval

    def _clipped(self, text: str) -> str:
        limit = self._adapter.limits.length_for(self.to.agent)
        return text if len(text) <= limit else f"{head(text, limit - 1)}…"


async def deliver(
    hold: HeldLease, adapter: Adapter, agent_name: str, due: Due = _UNREAD
) -> float | None:
    """Deliver everything that is due, or raise before anything later overtakes it.

    With the last of it the conversation is given back, if nothing waits in it.

    What the platform has not taken for long steps aside where something waits behind it, and is
    given up when that is taken; returns after how many seconds it is to be tried again, if it is.

    Raises:
        Transient: the platform cannot take it now.
        LeaseLost: somebody else delivers.
    """
    stubborn: OutboxMessage | None = None
    wait = 0.0
    rows = due.rows
    if rows is None:
        rows = await outbox.due(hold.lease.conversation_id)
    for row, following in zip_longest(rows, rows[1:]):
        try:
            leaves = row is rows[-1] and stubborn is None
            is_intended = row.id == due.intended
            is_last = following is None or following.turn_id != row.turn_id
            message = Visible(
                hold, adapter, row, agent_name, is_intended=is_intended, is_last=is_last
            )
            is_taken = await _deliver(hold, message, leaves=leaves)
        except Transient as later:
            wait = max(wait, later.retry_after or 0)
            if stubborn or not await _may_step_aside(hold, row, is_last=row is rows[-1]):
                raise Transient(str(later), retry_after=wait) from later
            stubborn = row
        else:
            if is_taken and stubborn:
                await _bury(hold, stubborn, "the platform took what came after it")
                stubborn = None
    return wait if stubborn else None


async def _deliver(hold: HeldLease, message: Visible, *, leaves: bool) -> bool:
    """Whether the platform took it, or else refuses it for good; raises Transient as `deliver`."""
    row = message.row
    try:
        with contained():
            message_id = await message.show(message.outgoing)
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
        kill_points.reach("delivered, not recorded")
        await _delivered(hold, row, message_id, leaves=leaves)
        kill_points.reach("delivered")
        return True
    return False


async def _delivered(hold: HeldLease, row: OutboxMessage, message_id: str, *, leaves: bool) -> None:
    is_left = await hold.insist(
        lambda _: outbox.delivered(
            hold.lease, outbox_id=row.id, message_id=message_id, now=hold.now(), leaves=leaves
        )
    )
    if is_left:
        hold.give_back()
    metrics.DELIVERIES.labels(outcome="delivered").inc()
    log.info("delivered", extra={"outbox": row.id, "turn": row.turn_id})


async def _try_later(
    hold: HeldLease, row: OutboxMessage, error: Transient, *, patience: timedelta
) -> None:
    """Raise, with a wait that grows with its own failures; after many of them it is given up."""
    failures = row.failures + 1
    await outbox.fail(hold.lease, outbox_id=row.id)
    if failures >= _MOST_FAILURES and await _age(hold, row) >= patience:
        await _bury(hold, row, str(error))
        return
    metrics.DELIVERIES.labels(outcome="put_off").inc()
    wait = error.retry_after or min(2.0 ** min(failures, 9), _LONGEST_WAIT)
    raise Transient(str(error), retry_after=wait) from error


async def _may_step_aside(hold: HeldLease, row: OutboxMessage, *, is_last: bool) -> bool:
    """Whether it may be this text alone that the platform does not take, and others wait."""
    if row.failures + 1 < _STUBBORN:
        return False
    return not is_last or bool(await inbox.unanswered(hold.lease.conversation_id))


async def _age(hold: HeldLease, row: OutboxMessage) -> timedelta:
    """How long ago the answer was there to be delivered."""
    turn = await turns.by_id(row.turn_id)
    return hold.now() - (turn.ended_at or turn.opened_at)


async def _bury(hold: HeldLease, row: OutboxMessage, why: str) -> None:
    metrics.DELIVERIES.labels(outcome="given_up").inc()
    log.error("delivery given up", extra={"outbox": row.id, "turn": row.turn_id, "why": why})
    await outbox.bury(hold.lease, outbox_id=row.id, now=hold.now())
