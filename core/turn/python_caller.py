"""A program that asks an agent from Python, as a platform: answers grow and arrive in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from core.messaging.adapter import Limits
from core.messaging.messages import Outgoing

_NO_LIMIT = 2**31


class CallerAdapter:
    """Shows the program how the answer to one message grows; the whole is given by `finish`."""

    def __init__(self, awaited: str | None = None) -> None:
        """`awaited` is the key of that message; None: nobody looks before it is finished."""
        self._awaited = awaited
        self._shown = set[str]()
        self._reasons: dict[str, str] = {}
        self._text = ""
        self._changed = asyncio.Event()
        self._is_finished = False

    @property
    def limits(self) -> Limits:
        """A program takes any length, and every piece at once."""
        interval = 0 if self._awaited else None
        return Limits(text_length=_NO_LIMIT, seconds_between_edits=interval)

    def may_preview(self, outgoing: Outgoing) -> bool:
        """Nothing is scarce here."""
        return True

    async def post(self, outgoing: Outgoing) -> str:
        """The answer as far as it has grown, unless it is to somebody else's message."""
        self._shown.add(outgoing.key)
        is_piece = not (outgoing.is_final or outgoing.is_notice)
        if is_piece and outgoing.reply_to == self._awaited:
            self._grow(outgoing.text)
        return outgoing.key

    async def edit(self, message_id: str, outgoing: Outgoing) -> str:
        """As `post`."""
        return await self.post(outgoing)

    async def find(self, outgoing: Outgoing) -> str | None:
        """What was handed over before a crash went nowhere."""
        return outgoing.key if outgoing.key in self._shown else None

    def explain(self, reply_to: str, why: str) -> None:
        """Keep the reason: whoever runs the program is who can do something about it."""
        self._reasons[reply_to] = why

    def reason(self, key: str) -> str | None:
        """Why the message of this key got no answer, if this process knows."""
        return self._reasons.get(key)

    def finish(self, text: str | None) -> None:
        """End `deltas`, with the whole answer if there is one."""
        self._is_finished = True
        self._grow(text or self._text)

    async def deltas(self) -> AsyncIterator[str]:
        """The pieces by which the answer grows.

        An answer that broke off and was begun anew goes on where it agrees with what was
        yielded; where it does not, the new text follows as a paragraph of its own.
        """
        yielded = ""
        is_last = False
        while not is_last:
            await self._changed.wait()
            self._changed.clear()
            text, is_last = self._text, self._is_finished
            if yielded.startswith(text):
                continue
            delta = text[len(yielded) :] if text.startswith(yielded) else f"\n\n{text}"
            yielded = text
            yield delta

    def _grow(self, text: str) -> None:
        self._text = text
        self._changed.set()
