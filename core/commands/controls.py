"""What people press below an answer: stop it, judge it, have it answered once more."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from core.address import Address
from core.clock import Clock
from core.errors import NotAllowed
from core.messaging.attachments import attachments_of
from core.messaging.directory import Directory
from core.messaging.intake import Accepted, Intake
from core.messaging.messages import Author, RoutedMessage
from core.turn.worker import Worker
from storage import activity, conversations, inbox, turns
from storage.models import Turn


@dataclass(frozen=True, slots=True, kw_only=True)
class Press:
    """Who pressed, and when: `key`, `position` and `at` as of a message that they wrote."""

    key: str
    author: Author
    position: int
    at: datetime


class Controls:
    """Answers are known by the key that an adapter was given with them."""

    def __init__(self, worker: Worker, intake: Intake, directory: Directory, clock: Clock) -> None:
        self._worker = worker
        self._intake = intake
        self._gate = intake.gate
        self._directory = directory
        self._clock = clock

    async def stop(self, key: str, by: Author) -> bool:
        """Stop the answer, whichever process writes it; False if it is not being written.

        Raises:
            NotAllowed: they may not ask the agent either.
        """
        turn = await self._turn(key, by)
        return turn is not None and await self._stop(turn)

    async def stop_below(self, address: Address, by: Author) -> int:
        """Stop what is being written there by agents that they may ask; returns how many."""
        running = await activity.running(address.key, readers=address.readers_below)
        stopped = 0
        for turn in running:
            with suppress(NotAllowed):
                await self._check(turn, by)
                stopped += await self._stop(turn)
        return stopped

    async def stop_in(
        self, address: Address, by: Author, *, thread: str, message_ids: Sequence[str]
    ) -> int:
        """Stop the answers that grow in these messages, or at least in this thread.

        Raises as `stop`.
        """
        running = await activity.running_in(
            address.key, thread=thread, message_ids=list(message_ids)
        )
        for turn in running:
            await self._check(turn, by)
        return sum([await self._stop(turn) for turn in running])

    async def judge(self, key: str, by: Author, *, person: str, is_good: bool) -> bool:
        """Store what a person thinks of the answer; False if nobody knows it.

        `person` is whom the opinion is kept of. Raises as `stop`.
        """
        turn = await self._turn(key, by)
        if turn is None:
            return False
        await turns.judge(turn.id, person=person, is_good=is_good, now=self._clock())
        return True

    async def again(self, key: str, press: Press) -> Accepted | None:
        """Ask what the answer was given to once more, in the same place; None if nobody knows it.

        The question is that of whoever pressed.
        """
        turn = await turns.by_outbox_key(key)
        asked = await inbox.of_turn(turn.id) if turn else []
        questions = [each for each in asked if each.text or each.attachments]  # others were deleted
        if turn is None or not questions:
            return None
        conversation = await conversations.by_id(turn.conversation_id)
        agent = await self._directory.of(conversation.agent_id)
        incoming = RoutedMessage(
            key=press.key,
            address=Address.parse(conversation.address, conversation.readers),
            author=press.author,
            text="\n".join(question.text for question in questions),
            sent_at=press.at,
            position=press.position,
            reply_to=questions[-1].reply_to,
            attachments=tuple(each for question in questions for each in attachments_of(question)),
        )
        return await self._intake.accept(incoming, agent.spec.name)

    async def _turn(self, key: str, by: Author) -> Turn | None:
        """The turn of the answer, if it is known, for somebody who may ask its agent."""
        turn = await turns.by_outbox_key(key)
        if turn:
            await self._check(turn, by)
        return turn

    async def _check(self, turn: Turn, by: Author) -> None:
        """Raises NotAllowed: they may not ask the agent of this turn."""
        conversation = await conversations.by_id(turn.conversation_id)
        agent = await self._directory.of(conversation.agent_id)
        await self._gate.check(by, Address.parse(conversation.address), agent.spec.name)

    async def _stop(self, turn: Turn) -> bool:
        if not await turns.ask_to_stop(turn.id, self._clock()):
            return False
        self._worker.interrupt(turn.conversation_id)
        return True
