"""Accepts a message once: which agent it is for, and into the inbox before anybody is told."""

from __future__ import annotations

from dataclasses import dataclass

from core import faults
from core.clock import Clock
from core.directory import Directory
from core.messages import Incoming
from core.text import cleaned
from storage import conversations, inbox


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """A message that is stored now; `is_new` is False for one that was already."""

    conversation_id: int
    key: str
    is_new: bool


class Intake:
    """The only way into the inbox."""

    def __init__(self, directory: Directory, clock: Clock) -> None:
        self._directory = directory
        self._clock = clock

    async def accept(self, incoming: Incoming, agent_name: str) -> Accepted:
        """Store the message for this agent; after this the platform may be told.

        Raises:
            UserMistake: there is no such agent.
        """
        agent = await self._directory.get(agent_name)
        conversation = await conversations.find_or_open(
            agent_id=agent.id,
            address=incoming.address.key,
            queue=incoming.address.queue,
            author=incoming.author.name,
            now=self._clock(),
        )
        faults.reach("received, not stored")
        received = inbox.Received(
            key=incoming.key,
            conversation_id=conversation.id,
            position=incoming.position,
            author_id=incoming.author.id,
            author=incoming.author.name,
            text=cleaned(incoming.text),
            reply_to=incoming.reply_to,
            sent_at=incoming.sent_at,
        )
        is_new = await inbox.add(received, self._clock())
        faults.reach("stored, not acknowledged")
        return Accepted(conversation_id=conversation.id, key=incoming.key, is_new=is_new)
