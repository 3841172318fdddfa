"""The visible, growing answer: opened once, edited as the text grows, never in a hurry."""

from __future__ import annotations

import logging
from dataclasses import replace

from core import faults
from core.adapter import Adapter
from core.clock import monotonic
from core.errors import DeliveryRefused, Transient
from core.messages import Outgoing
from core.turn.hold import Hold
from storage import outbox
from storage.errors import DatabaseBusy
from storage.models import OutboxMessage

log = logging.getLogger(__name__)


class Reply:
    """Shows an answer while it is being written.

    What it shows is a preview: when that fails, the finished answer is delivered all the same. A
    message that was opened and not recorded is looked for before another one is.
    """

    def __init__(self, hold: Hold, adapter: Adapter, draft: OutboxMessage, to: Outgoing) -> None:
        self.text = ""
        self._hold = hold
        self._adapter = adapter
        self._draft = draft
        self._to = to
        self._message_id = draft.message_id
        self._interval = adapter.limits.seconds_between_edits
        self._next_at = 0.0

    async def show(self, text: str) -> None:
        """The answer as far as it has grown; shown now, or with a later call.

        Raises:
            LeaseLost: somebody else writes this answer now.
        """
        self.text = text
        if self._interval is None or monotonic() < self._next_at or not text:
            return
        outgoing = _with_text(self._to, self._clipped(text))
        if not self._adapter.may_preview(outgoing):
            return
        try:
            await self._preview(outgoing)
        except (Transient, DeliveryRefused, DatabaseBusy) as error:
            log.warning("preview failed", extra={"outbox": self._draft.id, "why": str(error)})
            self._next_at = monotonic() + 10 * max(self._interval, 1)
        else:
            self._next_at = monotonic() + self._interval

    async def _preview(self, outgoing: Outgoing) -> None:
        if self._message_id:
            self._hold.check()
            self._message_id = await self._adapter.edit(self._message_id, outgoing)
            return
        self._message_id = await self._open(outgoing)
        faults.reach("opened, not recorded")
        await outbox.opened(
            self._hold.lease,
            outbox_id=self._draft.id,
            message_id=self._message_id,
            now=self._hold.now(),
        )

    async def _open(self, outgoing: Outgoing) -> str:
        """Post the first piece; an earlier try that may have arrived is looked for before."""
        if self._draft.attempts and (found := await self._adapter.find(outgoing)):
            return found
        now = self._hold.now()
        await outbox.begin(self._hold.lease, outbox_id=self._draft.id, is_post=True, now=now)
        self._draft.attempts += 1
        faults.reach("opening intended")
        self._hold.check()
        return await self._adapter.post(outgoing)

    def _clipped(self, text: str) -> str:
        limit = self._adapter.limits.text_length
        return text if len(text) <= limit else f"{text[: limit - 1]}…"


def _with_text(outgoing: Outgoing, text: str) -> Outgoing:
    return replace(outgoing, text=text, is_final=False)
