"""Tells a turn what came up while it is answered: stop, begin again, or somebody asks more."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from core.turn.retries import Stopped
from core.turn.turn import Turn
from storage import turns
from storage.errors import StorageError
from storage.turns import News, QuestionsEdited

_LOOK_SECONDS = 1.0  # between two looks for what other processes were told


@dataclass(slots=True, kw_only=True)
class _Written:
    """An answer being written."""

    turn: Turn
    scope: asyncio.Timeout
    is_edited: bool = False

    @property
    def asked(self) -> set[str]:
        """The keys of the messages that it answers."""
        return {question.key for question in self.turn.opened.questions}

    def cut(self) -> None:
        """End what is being done for it, unless it ends already."""
        if not self.scope.expired():
            self.scope.reschedule(asyncio.get_running_loop().time())


class Stops:
    """The answers that one worker writes, by conversation."""

    def __init__(self) -> None:
        self._written: dict[int, _Written] = {}

    def stop(self, conversation_id: int, *, asked: str | None = None) -> bool:
        """Stop the answer being written there; what was shown stands. False if there is none.

        With the key of a message, only an answer to that message is stopped.
        """
        written = self._written.get(conversation_id)
        if written is None or (asked and asked not in written.asked):
            return False
        del self._written[conversation_id]
        written.is_edited = False  # who has edited it, too, wants no more of it
        written.cut()
        return True

    def edited(self, key: str) -> None:
        """Begin the answer to this message again, if it is being written here."""
        for written in self._written.values():
            if key in written.asked:
                self._begin_again(written)

    def came(self, conversation_id: int) -> None:
        """There is one more message: the answer being written there may take it in."""
        if written := self._written.get(conversation_id):
            written.turn.has_more = True

    async def watch(self, conversation_id: int) -> None:
        """Heed what other processes were told about the answer being written; until cancelled."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            if not (written := self._written.get(conversation_id)):
                continue
            await written.turn.show_work()
            news = await _news(written.turn)
            if not news or self._written.get(conversation_id) is not written:
                continue
            if news.is_stop_asked:
                self.stop(conversation_id)
            elif news.edits != written.turn.opened.turn.edits:
                self._begin_again(written)
            elif news.has_waiting:
                written.turn.has_more = True

    def _begin_again(self, written: _Written) -> None:
        if written.turn.may_begin_again:
            written.is_edited = True
            written.cut()

    @asynccontextmanager
    async def stoppable(self, turn: Turn) -> AsyncGenerator[None]:
        """What is done in here ends early if a person stops the answer, or edits what it answers.

        Raises:
            Stopped: so it was, here or before it began.
            QuestionsEdited: it is to begin again.
        """
        if turn.opened.turn.stop_asked_at:
            raise Stopped
        conversation_id, scope = turn.opened.turn.conversation_id, asyncio.timeout(None)
        self._written[conversation_id] = written = _Written(turn=turn, scope=scope)
        try:
            async with scope:
                yield
        except TimeoutError as error:
            if not scope.expired():
                raise
            raise (QuestionsEdited() if written.is_edited else Stopped()) from error
        finally:
            self._written.pop(conversation_id, None)
            async with turn.showing:  # what comes now is posted after it
                pass


async def _news(turn: Turn) -> News | None:
    try:
        return await turns.news(turn.opened.turn.id)
    except StorageError:  # the next look may tell; whoever keeps the lease notices, too
        return None
