"""Attempts to answer, each of which a person may stop, in whichever process."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from core.adapter import Adapter, ShowsWork
from core.errors import DeliveryRefused, Transient
from core.files import read_files
from core.messages import Outgoing
from core.turn import relay
from core.turn.ending import Outcome
from core.turn.journal import Journal
from core.turn.reply import Reply
from core.turn.runner import Runner
from storage import turns
from storage.errors import StorageError
from storage.turns import OpenTurn

log = logging.getLogger(__name__)

_STATUS_SECONDS = 2.0  # that showing "working" may take at most
_STOP_SECONDS = 1.0  # between two looks for whether another process was asked to stop an answer


@dataclass(frozen=True, slots=True, kw_only=True)
class _Interruptible:
    """An answer being written, and the keys of the messages that it answers."""

    turn_id: int
    scope: asyncio.Timeout
    asked: frozenset[str]


class Attempts:
    """Those of one process."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self._answering: dict[int, _Interruptible] = {}

    async def make(self, outcome: Outcome, adapter: Adapter) -> None:
        """Answer, and end the turn so.

        Raises:
            ModelRefused, ConfigMistake: trying again does not help.
            Transient: it may.
            LeaseLost: somebody else goes on with it.
            DatabaseBusy, DatabaseUnusable: what is not finished is done again later.
        """
        hold, agent, opened = outcome.hold, outcome.agent, outcome.opened
        if opened.turn.stop_asked_at:  # since the attempt before this one
            await outcome.stopped(Journal(opened.steps).text)
            return
        asked_by = opened.questions[-1].author_id
        to = replace(relay.outgoing_of(opened.draft, hold, agent.spec.name), asked_by=asked_by)
        reply = Reply(hold, adapter, opened.draft, to)
        async with self._stoppable(opened) as stoppable:
            if not opened.draft.attempts:  # else the answer's message may be there already
                await _show_work(adapter, to)
            files = await read_files(adapter, to.address, opened.questions)
            outcome = replace(outcome, files=files)
            text = await self._runner.run(hold, agent, opened, reply, files)
        if stoppable.expired():
            await outcome.stopped(reply.text)
        else:
            await outcome.answered(text)

    def stop(self, conversation_id: int, *, asked: str | None = None) -> bool:
        """Stop the answer being written there; what was shown stands. False if there is none.

        With the key of a message, only an answer to that message is stopped.
        """
        answering = self._answering.get(conversation_id)
        if answering is None or (asked and asked not in answering.asked):
            return False
        del self._answering[conversation_id]
        answering.scope.reschedule(asyncio.get_running_loop().time())
        return True

    async def watch(self, conversation_id: int) -> None:
        """Stop an answer that another process was asked to stop; until cancelled."""
        while True:
            await asyncio.sleep(_STOP_SECONDS)
            answering = self._answering.get(conversation_id)
            if answering is None or not await _is_asked_to_stop(answering.turn_id):
                continue
            if self._answering.get(conversation_id) is answering:
                self.stop(conversation_id)

    @asynccontextmanager
    async def _stoppable(self, opened: OpenTurn) -> AsyncGenerator[asyncio.Timeout]:
        """What is done in here ends early, without an error, if a person stops the answer."""
        conversation_id, scope = opened.turn.conversation_id, asyncio.timeout(None)
        asked = frozenset(question.key for question in opened.questions)
        self._answering[conversation_id] = _Interruptible(
            turn_id=opened.turn.id, scope=scope, asked=asked
        )
        try:
            async with scope:
                yield scope
        except TimeoutError:
            if not scope.expired():
                raise
        finally:
            self._answering.pop(conversation_id, None)


async def _is_asked_to_stop(turn_id: int) -> bool:
    try:
        return await turns.is_asked_to_stop(turn_id)
    except StorageError:  # the next look may tell; whoever keeps the lease notices, too
        return False


async def _show_work(adapter: Adapter, to: Outgoing) -> None:
    """Best effort, and before anything is posted, which is what ends it."""
    if not isinstance(adapter, ShowsWork):
        return
    try:
        async with asyncio.timeout(_STATUS_SECONDS):
            await adapter.working(to)
    except (Transient, DeliveryRefused, TimeoutError) as error:
        log.info("not shown as working", extra={"why": str(error)})
