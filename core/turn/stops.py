"""Stops answers that people want no more of, whichever process writes them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from core.turn.outcome import Stopped
from core.turn.turn import Turn
from storage import turns
from storage.errors import StorageError

_LOOK_SECONDS = 1.0  # between two looks for whether another process was asked to stop an answer


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stoppable:
    """An answer being written, and the keys of the messages that it answers."""

    turn_id: int
    scope: asyncio.Timeout
    asked: frozenset[str]


class Stops:
    """The answers that one worker writes, by conversation."""

    def __init__(self) -> None:
        self._written: dict[int, _Stoppable] = {}

    def stop(self, conversation_id: int, *, asked: str | None = None) -> bool:
        """Stop the answer being written there; what was shown stands. False if there is none.

        With the key of a message, only an answer to that message is stopped.
        """
        written = self._written.get(conversation_id)
        if written is None or (asked and asked not in written.asked):
            return False
        del self._written[conversation_id]
        written.scope.reschedule(asyncio.get_running_loop().time())
        return True

    async def watch(self, conversation_id: int) -> None:
        """Stop an answer that another process was asked to stop; until cancelled."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            written = self._written.get(conversation_id)
            if written is None or not await _is_asked_to_stop(written.turn_id):
                continue
            if self._written.get(conversation_id) is written:
                self.stop(conversation_id)

    @asynccontextmanager
    async def stoppable(self, turn: Turn) -> AsyncGenerator[None]:
        """What is done in here ends early if a person stops the answer.

        Raises:
            Stopped: so it was, here or before it began.
        """
        if turn.opened.turn.stop_asked_at:
            raise Stopped
        conversation_id, scope = turn.opened.turn.conversation_id, asyncio.timeout(None)
        asked = frozenset(question.key for question in turn.opened.questions)
        self._written[conversation_id] = _Stoppable(
            turn_id=turn.opened.turn.id, scope=scope, asked=asked
        )
        try:
            async with scope:
                yield
        except TimeoutError as error:
            if not scope.expired():
                raise
            raise Stopped from error
        finally:
            self._written.pop(conversation_id, None)


async def _is_asked_to_stop(turn_id: int) -> bool:
    try:
        return await turns.is_asked_to_stop(turn_id)
    except StorageError:  # the next look may tell; whoever keeps the lease notices, too
        return False
