"""A program that asks an agent from Python, as a platform: answers grow and arrive in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from core.adapter import Limits
from core.messages import Outgoing

_NO_LIMIT = 2**31


class CallerAdapter:
    """Hands the growing text of one answer to whoever waits for it."""

    def __init__(self) -> None:
        self._growth = asyncio.Queue[str | None]()

    @property
    def limits(self) -> Limits:
        """A program takes any length, and every piece at once."""
        return Limits(text_length=_NO_LIMIT, seconds_between_edits=0)

    async def post(self, outgoing: Outgoing) -> str:
        """The first piece, or the whole."""
        self._growth.put_nowait(outgoing.text)
        return outgoing.key

    async def edit(self, message_id: str, outgoing: Outgoing) -> str:
        """The answer as far as it has grown."""
        self._growth.put_nowait(outgoing.text)
        return message_id

    async def find(self, outgoing: Outgoing) -> str | None:
        """What was handed over before a crash went nowhere."""
        return None

    def close(self) -> None:
        """End `deltas` once everything before has been taken."""
        self._growth.put_nowait(None)

    async def deltas(self) -> AsyncIterator[str]:
        """The pieces by which the answer grows.

        An answer that broke off and was begun anew goes on where it agrees with what was
        yielded; where it does not, the new text follows as a paragraph of its own.
        """
        yielded = ""
        while (text := await self._growth.get()) is not None:
            if text.startswith(yielded):
                delta, yielded = text[len(yielded) :], text
            elif yielded.startswith(text):
                continue
            else:
                delta, yielded = f"\n\n{text}", text
            if delta:
                yield delta
