"""The growing answer: shown as far as it has come, edited as it grows, never in a hurry."""

from __future__ import annotations

import logging
from dataclasses import replace

from core.adapter import Adapter
from core.clock import monotonic
from core.errors import DeliveryRefused, Transient
from core.messages import Outgoing
from core.turn.deliver import Visible
from storage.errors import DatabaseBusy

log = logging.getLogger(__name__)


class Reply:
    """Shows an answer while it is being written.

    What it shows is a preview: when that fails, the finished answer is delivered all the same.
    """

    def __init__(self, adapter: Adapter, message: Visible, *, asked_by: str) -> None:
        self.text = ""
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
        await self._preview(replace(self.to, text=self._clipped(text)))

    async def tell(self, notice: str) -> None:
        """Say below it why it does not grow; raises as `show`."""
        text = f"{self.text}\n\n{notice}" if self.text else notice
        await self._preview(replace(self.to, text=self._clipped(text), is_notice=True))

    async def _preview(self, outgoing: Outgoing) -> None:
        if self._interval is None or monotonic() < self._next_at or not outgoing.text:
            return
        if not self._adapter.may_preview(outgoing):
            return
        try:
            await self._message.preview(outgoing)
        except (Transient, DeliveryRefused, DatabaseBusy) as error:
            extra = {"outbox": self._message.row.id, "why": str(error)}
            log.warning("preview failed", extra=extra)
            self._next_at = monotonic() + 10 * max(self._interval, 1)
        else:
            self._next_at = monotonic() + self._interval

    def _clipped(self, text: str) -> str:
        limit = self._adapter.limits.text_length
        return text if len(text) <= limit else f"{text[: limit - 1]}…"
