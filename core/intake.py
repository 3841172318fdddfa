"""Accepts a message once: which agent it is for, and into the inbox before anybody is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass

from core import faults
from core.clock import Clock
from core.directory import Directory
from core.messages import Incoming
from core.text import cleaned
from storage import conversations, inbox

_LONGEST_NAME = 80  # characters; a name stands in front of what its owner says


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """A message that is stored now; `is_new` is False for one that was already."""

    agent: str
    conversation_id: int
    key: str
    is_new: bool


class Intake:
    """The only way into the inbox."""

    def __init__(self, directory: Directory, clock: Clock) -> None:
        self._directory = directory
        self._clock = clock
        self._wake = _nobody

    def wake_with(self, wake: Callable[[], None]) -> None:
        """Call `wake` whenever a message has been stored: a worker of this process goes on."""
        self._wake = wake

    async def accept(self, incoming: Incoming, agent_name: str) -> Accepted:
        """Store the message for this agent; after this the platform may be told.

        Raises:
            UserMistake: there is no such agent.
        """
        agent = await self._directory.get(agent_name)
        author = _one_line(incoming.author.name)
        conversation = await conversations.find_or_open(
            agent_id=agent.id,
            address=incoming.address.key,
            queue=incoming.address.queue,
            author=author,
            now=self._clock(),
        )
        faults.reach("received, not stored")
        received = inbox.Received(
            key=incoming.key,
            conversation_id=conversation.id,
            position=incoming.position,
            author_id=incoming.author.id,
            author=author,
            text=cleaned(incoming.text),
            reply_to=incoming.reply_to,
            sent_at=incoming.sent_at,
            attachments=[asdict(attachment) for attachment in incoming.attachments],
        )
        is_new = await inbox.add(received, self._clock())
        faults.reach("stored, not acknowledged")
        self._wake()
        return Accepted(
            agent=agent.spec.name,
            conversation_id=conversation.id,
            key=incoming.key,
            is_new=is_new,
        )


def _one_line(name: str) -> str:
    """A name that cannot be taken for anything but a name."""
    return " ".join(cleaned(name).split())[:_LONGEST_NAME] or "somebody"


def _nobody() -> None:
    """Without a worker in this process, others find the message when they poll."""
