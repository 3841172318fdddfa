"""The ways out: answers that grow on a screen, and answers written whole into a pipe."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from itertools import count
from typing import TYPE_CHECKING

from bots.terminal.pipe import STDERR, write
from core.errors import Transient
from core.messaging.adapter import Limits
from core.messaging.messages import Outgoing

if TYPE_CHECKING:  # drawing takes 0.2 s to import, which a pipe need not pay
    from bots.terminal.screen import Screen

_NO_LIMIT = 2**31


class _Shown:
    """What this process has shown, under ids that tell it from every other process."""

    def __init__(self, kind: str) -> None:
        self._prefix = f"{kind}-{secrets.token_hex(4)}"
        self._numbers = count(1)
        self._ids: dict[str, str] = {}
        self._replied_to = set[str]()

    def id_of(self, outgoing: Outgoing) -> str | None:
        """The id under which this message was shown here."""
        return self._ids.get(outgoing.key)

    def is_reply_to(self, key: str) -> bool:
        """Whether the whole answer to this message was shown here."""
        return key in self._replied_to

    def add(self, outgoing: Outgoing) -> str:
        """Note that the message is shown, and return its id."""
        if outgoing.is_final and outgoing.reply_to:
            self._replied_to.add(outgoing.reply_to)
        return self._ids.setdefault(outgoing.key, f"{self._prefix}/{next(self._numbers)}")


class ScreenAdapter:
    """Draws answers. A dead screen shows nothing any more, so whatever it began is drawn anew."""

    def __init__(self, screen: Screen) -> None:
        self.awaited: str | None = None
        self._screen = screen
        self._shown = _Shown("screen")

    @property
    def limits(self) -> Limits:
        """A screen takes any length, and is drawn twelve times a second."""
        return Limits(text_length=_NO_LIMIT, seconds_between_edits=1 / 12)

    def may_preview(self, outgoing: Outgoing) -> bool:
        """A screen has no limit."""
        return True

    async def post(self, outgoing: Outgoing) -> str:
        """Draw the answer as far as it has grown."""
        if not (outgoing.reply_to and self._shown.is_reply_to(outgoing.reply_to)):
            self._draw(outgoing)
        return self._shown.add(outgoing)

    async def edit(self, message_id: str, outgoing: Outgoing) -> str:
        """Draw it anew, wherever it was drawn before."""
        return await self.post(outgoing)

    async def find(self, outgoing: Outgoing) -> str | None:
        """Only what this very screen has drawn."""
        return self._shown.id_of(outgoing)

    def has_answered(self, key: str) -> bool:
        """Whether this screen shows the whole answer to the message with this key."""
        return self._shown.is_reply_to(key)

    def _draw(self, outgoing: Outgoing) -> None:
        is_late = outgoing.reply_to != self.awaited
        draw = self._screen.finish if outgoing.is_final else self._screen.grow
        draw(outgoing.agent, outgoing.text, is_late=is_late)


class PipeAdapter:
    """Writes whole answers, each to the stream that `stream_of` chooses.

    A pipe cannot be read back: what an earlier process was about to write counts as written.
    `leave` is called when nobody reads any more.
    """

    def __init__(
        self, stream_of: Callable[[Outgoing], Awaitable[int]], leave: Callable[[], None]
    ) -> None:
        self._stream_of = stream_of
        self._leave = leave
        self._shown = _Shown("pipe")

    @property
    def limits(self) -> Limits:
        """Any length, and nothing while the answer grows."""
        return Limits(text_length=_NO_LIMIT, seconds_between_edits=None)

    def may_preview(self, outgoing: Outgoing) -> bool:
        """Never asked: a pipe shows no growth."""
        return True

    async def post(self, outgoing: Outgoing) -> str:
        """Write the answer."""
        stream = await self._stream_of(outgoing)
        try:
            write(stream, outgoing.text)
        except BrokenPipeError as error:
            self._leave()
            raise Transient("nobody reads the output any more") from error
        return self._shown.add(outgoing)

    async def edit(self, message_id: str, outgoing: Outgoing) -> str:
        """Write what a screen had begun to show; what was written stays."""
        if message_id == self._shown.id_of(outgoing):
            return message_id
        return await self.post(outgoing)

    async def find(self, outgoing: Outgoing) -> str | None:
        """What was begun counts as written; it is said on stderr, so that nothing is lost."""
        if self._shown.id_of(outgoing) is None:
            write(STDERR, "moorings: this answer may have been shown already:")
            write(STDERR, outgoing.text)
        return self._shown.add(outgoing)

    def has_answered(self, key: str) -> bool:
        """Whether the whole answer to the message with this key was written here."""
        return self._shown.is_reply_to(key)
