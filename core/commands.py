"""What people can ask of Moorings itself, on any platform."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from core.address import Address
from core.agents_file import AgentsFile
from core.binding import Listen, SharedBy
from core.clock import Clock
from core.directory import Directory
from core.errors import UserMistake
from core.routing import agent_at
from storage import bindings, conversations, facts, inbox, messages, summaries
from storage.models import Conversation, MessageRole, SummaryKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One entry of a history, as people see it."""

    author: str
    text: str
    at: datetime
    is_agent: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """A fact with its source."""

    id: int
    text: str
    said_by: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Talk:
    """A conversation in a list of them."""

    agent: str
    address: str
    messages: int
    last_at: datetime | None


class Commands:
    """Each command is one method; the words around it are the platform's."""

    def __init__(self, directory: Directory, file: AgentsFile, clock: Clock) -> None:
        self._directory = directory
        self._file = file
        self._clock = clock

    async def agents(self) -> list[str]:
        """The names of all agents."""
        return await self._directory.names()

    async def agent_at(self, address: Address) -> str:
        """The agent that answers there."""
        return await agent_at(address, self._file)

    async def use(self, address: Address, agent_name: str, person: str) -> None:
        """Let this agent answer there from now on.

        Raises:
            UserMistake: there is no such agent, or the agents file binds the address.
        """
        agent = await self._directory.get(agent_name)
        for binding in self._file.bindings:
            if binding.at == address and binding.agent != agent_name:
                raise UserMistake(
                    f"The agents file binds {address} to '{binding.agent}', and it wins: "
                    "ask whoever runs me to change it there."
                )
        await bindings.bind(
            at=address.key,
            agent=agent.spec.name,
            listen=Listen.ALL,
            conversation=SharedBy.CHANNEL,
            made_by=person,
            now=self._clock(),
        )

    async def history(self, address: Address, agent_name: str, *, limit: int) -> list[Said]:
        """The newest messages of the conversation, oldest first."""
        conversation = await self._conversation(address, agent_name)
        if conversation is None:
            return []
        entries = await messages.latest_delivered(conversation.id, limit=limit)
        return [
            Said(
                author=entry.author,
                text=entry.text,
                at=entry.said_at,
                is_agent=entry.role is not MessageRole.USER,
            )
            for entry in entries
        ]

    async def facts(self, address: Address, agent_name: str) -> list[Remembered]:
        """What the agent remembers there."""
        agent = await self._directory.get(agent_name)
        return [
            Remembered(id=fact.id, text=fact.text, said_by=fact.said_by, at=fact.said_at)
            for fact in await facts.current(agent_id=agent.id, scope=address.scope)
        ]

    async def reset(self, address: Address, agent_name: str) -> bool:
        """Begin anew: what was said before is kept but no longer shown to the model.

        Facts stay. False if nothing was ever said there.
        """
        conversation = await self._conversation(address, agent_name)
        if conversation is None:
            return False
        current = await facts.current(agent_id=conversation.agent_id, scope=address.scope)
        await summaries.add(
            conversation_id=conversation.id,
            upto_seq=None,
            kind=SummaryKind.RESET,
            text="",
            facts=[fact.id for fact in current],
            now=self._clock(),
        )
        return True

    async def unfinished(self, address: Address, agent_name: str) -> int | None:
        """The id of the conversation there if it still has something to answer or deliver."""
        conversation = await self._conversation(address, agent_name)
        is_idle = conversation is None or conversation.ready_at is None
        return None if conversation is None or is_idle else conversation.id

    async def open_questions(self, conversation_id: int) -> list[Said]:
        """What was said there and still waits for its answer, in order."""
        return [
            Said(author=asked.author, text=asked.text, at=asked.sent_at, is_agent=False)
            for asked in await inbox.unanswered(conversation_id)
        ]

    async def talks(self) -> Sequence[Talk]:
        """Every conversation, the one with the newest message first."""
        names = {agent.id: agent.spec.name for agent in await self._directory.everyone()}
        talks = [
            Talk(
                agent=names[conversation.agent_id],
                address=conversation.address,
                messages=conversation.last_seq,
                last_at=await messages.last_said_at(conversation.id),
            )
            for conversation in await conversations.everything()
        ]
        return sorted(talks, key=_newest_first, reverse=True)

    async def _conversation(self, address: Address, agent_name: str) -> Conversation | None:
        agent = await self._directory.get(agent_name)
        return await conversations.find(agent_id=agent.id, address=address.key)


def _newest_first(talk: Talk) -> tuple[bool, str]:
    return talk.last_at is not None, talk.last_at.isoformat() if talk.last_at else ""
