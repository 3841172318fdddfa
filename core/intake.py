"""Accepts a message once: which agent it is for, and into the inbox before anybody is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass

from core import faults
from core.address import Address, Readers
from core.clock import Clock
from core.directory import Directory
from core.gate import Gate
from core.messages import Incoming
from core.text import cleaned
from storage import conversations, facts, inbox
from storage.allowances import UsedUp
from storage.models import Conversation

_LONGEST_NAME = 80  # characters; a name stands in front of what its owner says


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """A message that is stored now; `is_new` is False for one that was already."""

    agent: str
    agent_id: int
    conversation_id: int
    key: str
    is_new: bool


class Intake:
    """The only way into the inbox."""

    def __init__(self, directory: Directory, clock: Clock, gate: Gate) -> None:
        self._directory = directory
        self._clock = clock
        self.gate = gate
        self._wake = _nobody

    def wake_with(self, wake: Callable[[], None]) -> None:
        """Call `wake` whenever a message has been stored: a worker of this process goes on."""
        self._wake = wake

    async def accept(self, incoming: Incoming, agent_name: str) -> Accepted:
        """Store the message for this agent; after this the platform may be told.

        Raises:
            UserMistake: there is no such agent.
            NotAllowed: they may not ask it, or not now.
        """
        limits = await self.gate.admit(incoming.author, incoming.address, agent_name)
        agent = await self._directory.get(agent_name)
        author = _one_line(incoming.author.name)
        conversation = await self._conversation(agent.id, incoming.address, author)
        faults.reach("received, not stored")
        received = _received(incoming, author, conversation.id)
        try:
            is_new = await inbox.add(received, self._clock(), limits)
        except UsedUp as used_up:
            raise self.gate.refusal(used_up, incoming.author) from used_up
        faults.reach("stored, not acknowledged")
        self._wake()
        return Accepted(
            agent=agent.spec.name,
            agent_id=agent.id,
            conversation_id=conversation.id,
            key=incoming.key,
            is_new=is_new,
        )

    async def _conversation(self, agent_id: int, address: Address, author: str) -> Conversation:
        """The conversation there; who can read it is written only when that is news."""
        readers = address.readers
        conversation = await conversations.find_or_open(
            agent_id=agent_id,
            address=address.key,
            queue=address.queue,
            author=author,
            # a private thread is news, so that what was told in it before moves into it
            readers=Readers.UNKNOWN if address.is_private_thread else readers,
            now=self._clock(),
        )
        known = readers.since(Readers(conversation.readers))
        if known != conversation.readers:
            if address.is_private_thread:
                await _withdraw_facts(agent_id, address)
            await conversations.show_to(known, conversation_id=conversation.id)
        return conversation


async def _withdraw_facts(agent_id: int, address: Address) -> None:
    """Until private threads were told apart, what was told in one stood in its channel."""
    platform, (workspace, _, thread, *_) = address.platform, address.parts
    await facts.move(
        agent_id=agent_id,
        scope=address.channel.key,
        told_below=f"{platform}/{workspace}/{thread}/",  # a key names the thread, not its channel
        to=address.scope,
    )


def _received(incoming: Incoming, author: str, conversation_id: int) -> inbox.Received:
    return inbox.Received(
        key=incoming.key,
        conversation_id=conversation_id,
        position=incoming.position,
        author_id=incoming.author.id,
        author=author,
        text=cleaned(incoming.text),
        reply_to=incoming.reply_to,
        sent_at=incoming.sent_at,
        attachments=[asdict(attachment) for attachment in incoming.attachments],
    )


def _one_line(name: str) -> str:
    """A name that cannot be taken for anything but a name."""
    return " ".join(cleaned(name).split())[:_LONGEST_NAME] or "somebody"


def _nobody() -> None:
    """Without a worker in this process, others find the message when they poll."""
