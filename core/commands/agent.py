"""What people can ask of Moorings itself: `/agent` and its like on any platform."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from core.address import Address, Readers
from core.clock import Clock
from core.commands.views import (
    ConversationInfo,
    Explanation,
    HistoryEntry,
    OwnFact,
    RememberedFact,
    Status,
)
from core.config.agents_file import AgentsFile
from core.config.binding import Binding, Listen, SharedBy
from core.errors import UserMistake
from core.messaging import threads
from core.messaging.bindings import chosen_in_chat
from core.messaging.directory import Directory
from core.messaging.messages import Author
from core.messaging.routing import agent_at, binding_at
from core.text import cleaned
from storage import (
    activity,
    bindings,
    conversations,
    facts,
    inbox,
    learning,
    messages,
    outbox,
    summaries,
)
from storage.facts import Statement
from storage.models import Conversation, Fact, MessageRole, OutboxState, Turn
from storage.side_models import FactOrigin

_LONGEST_FACT = 1_000  # characters


class Commands:
    """Each command is one method; the words around it are the platform's."""

    def __init__(self, directory: Directory, file: AgentsFile, clock: Clock) -> None:
        self._directory = directory
        self._file = file
        self._clock = clock

    async def agents(self) -> list[str]:
        """The names of all agents."""
        return self._directory.names

    async def agent_at(self, address: Address) -> str:
        """The agent that answers there."""
        return await agent_at(address, self._file, self._directory)

    async def history_at(self, address: Address) -> Address:
        """Where the histories stand of what is said there: a channel may share its own."""
        binding = await binding_at(address, self._file, self._directory)
        if binding and binding.conversation in {SharedBy.CHANNEL, SharedBy.USER}:
            return address.shared
        return address

    async def use(
        self,
        address: Address,
        agent_name: str,
        person: str,
        *,
        listen: Listen = Listen.ALL,
        conversation: SharedBy | None = None,
    ) -> None:
        """Let this agent answer there from now on; None leaves the history to the platform.

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
        await self._directory.bindings.bind(address, agent.spec.name, listen, conversation, person)

    async def leave(self, address: Address, *, position: int) -> bool:
        """Let whoever was asked there, or in a channel's threads, answer only when called again.

        `position` is that of whoever says so among the messages there. False if it was said before.
        """
        return await threads.leave(address, position, self._clock())

    async def binding_at(self, address: Address) -> Binding | None:
        """Who is bound there."""
        return await binding_at(address, self._file, self._directory)

    async def history(self, address: Address, agent_name: str, *, limit: int) -> list[HistoryEntry]:
        """The newest messages of the conversation, oldest first."""
        conversation = await self._conversation(address, agent_name)
        if conversation is None:
            return []
        entries = await messages.latest_delivered(conversation.id, limit=limit)
        return [
            HistoryEntry(
                author=entry.author,
                text=entry.text,
                at=entry.said_at,
                is_agent=entry.role is not MessageRole.USER,
            )
            for entry in entries
        ]

    async def facts(self, address: Address, agent_name: str) -> list[RememberedFact]:
        """What the agent remembers there."""
        agent = await self._directory.get(agent_name)
        known = await facts.current(agent_id=agent.id, scope=address.scope)
        learned = [fact.id for fact in known if fact.origin == FactOrigin.LEARNED]
        sources = await learning.sources(learned) if learned else {}
        before = await facts.replaced([fact.id for fact in known]) if known else {}
        return [
            RememberedFact(
                id=fact.id,
                text=fact.text,
                said_by=fact.said_by,
                at=fact.said_at,
                learned_from=" … ".join(each.text for each in sources.get(fact.id, []))
                if fact.id in learned
                else None,
                before=before[fact.id].text if fact.id in before else "",
            )
            for fact in known
        ]

    async def remember(
        self, address: Address, agent_name: str, text: str, *, author: Author, key: str
    ) -> RememberedFact:
        """Let the agent remember a statement there, once for the same `key`.

        Raises:
            UserMistake: nothing to remember, or too much.
        """
        text = cleaned(text)
        if not 1 <= len(text) <= _LONGEST_FACT:
            raise UserMistake(f"Say what to remember, in at most {_LONGEST_FACT:,} characters.")
        agent = await self._directory.get(agent_name)
        fact = await facts.add(
            Statement(
                key=key,
                agent_id=agent.id,
                scope=address.scope,
                text=text,
                said_by=author.name,
                source_key=_told_by_command(address, author.id),
                said_at=self._clock(),
                author_id=author.id,
                place=address.key,
            )
        )
        return RememberedFact(id=fact.id, text=fact.text, said_by=fact.said_by, at=fact.said_at)

    async def forget(self, address: Address, agent_name: str, number: int) -> str:
        """Let the agent forget a fact that it knows there; returns what it said.

        Raises:
            UserMistake: there is no such fact.
        """
        agent = await self._directory.get(agent_name)
        scope = address.scope
        fact = await facts.find(fact_id=number, agent_id=agent.id, scope=scope)
        now = self._clock()
        if fact is None or not await facts.forget(
            fact_id=number, agent_id=agent.id, scope=scope, now=now
        ):
            raise UserMistake(f"{agent_name} knows no fact {number} here.")
        return fact.text

    async def own_facts(self, workspace: Address, person: str) -> list[OwnFact]:
        """What agents remember in a workspace of what this person (an id) has told them.

        Whoever shows it leaves out what stems from a private place elsewhere.
        """
        names = await self._directory.names_by_id()
        return [
            OwnFact(id=fact.id, text=fact.text, agent=names[fact.agent_id], scope=fact.scope)
            for fact in await _told_by(workspace, person)
            if fact.agent_id in names
        ]

    async def forget_own(self, workspace: Address, person: str, number: int) -> bool:
        """Forget a fact that this person has told; False if there is none of this number."""
        for fact in await _told_by(workspace, person):
            if fact.id == number:  # also one of an agent that is retired
                return await facts.forget(
                    fact_id=number, agent_id=fact.agent_id, scope=fact.scope, now=self._clock()
                )
        return False

    async def never_private(self, channels: Collection[Address]) -> list[Address]:
        """Those of these channels that have been open to everybody for as long as they are known.

        What turned private is private from then on, whatever is said of it now.
        """
        paths = [channel.key for channel in channels]
        private = await activity.private_among(paths, readers=[Readers.CHANNEL, Readers.THREAD])
        return [channel for channel in channels if channel.key not in private]

    async def bindings(self, workspace: Address) -> list[Binding]:
        """Who is bound where in a workspace, by the file or from chat, in order.

        Whoever shows it leaves out private places elsewhere.
        """
        names = self._directory.names
        rows = [row for row in await bindings.below(workspace.key) if row.agent in names]
        found = {row.at: chosen_in_chat(row) for row in rows}
        found |= {
            binding.at.key: binding
            for binding in self._file.bindings
            if workspace.key in binding.at.prefixes
        }
        return [found[at] for at in sorted(found)]

    async def status(self, address: Address) -> Status:
        """Who answers there, and what waits there and below."""
        binding = await binding_at(address, self._file, self._directory)
        agent = await self._directory.get(binding.agent if binding else self._file.default_agent)
        known = await facts.current(agent_id=agent.id, scope=address.scope)
        return Status(
            agent=agent.spec.name,
            model=agent.spec.model,
            listen=binding.listen if binding else Listen.MENTION,
            conversation=binding.conversation if binding else None,
            waiting=await activity.waiting(address.key, readers=address.readers_below),
            answering=len(await activity.running(address.key, readers=address.readers_below)),
            facts=len(known),
        )

    async def why(
        self, address: Address, *, turn_id: int | None = None, message_ids: Sequence[str] = ()
    ) -> Explanation | None:
        """What is behind an answer there: the newest one, or that of this turn or message."""
        readers = address.readers_below
        if turn_id is None and not message_ids:
            turn = await activity.newest_turn(address.key, readers=readers)
        else:
            turn = await activity.turn_of(
                address.key, readers=readers, turn_id=turn_id, message_ids=list(message_ids)
            )
        return await self._explained(turn) if turn else None

    async def reset(self, address: Address, agent_name: str) -> bool:
        """Begin anew: what was said before is kept but no longer shown to the model.

        Facts stay. False if nothing was ever said there.
        """
        conversation = await self._conversation(address, agent_name)
        if conversation is None:
            return False
        front = await learning.in_front(agent_id=conversation.agent_id, scope=address.scope)
        await summaries.reset(conversation.id, facts=front, now=self._clock())
        return True

    async def reset_below(self, address: Address, agent_name: str) -> int:
        """Begin anew there and in every thread below; returns how many histories that were."""
        agent = await self._directory.get(agent_name)
        return await activity.reset(
            address.key,
            readers=address.readers_below,
            agent_id=agent.id,
            facts=await learning.in_front(agent_id=agent.id, scope=address.scope),
            now=self._clock(),
        )

    async def unfinished(self, address: Address, agent_name: str) -> int | None:
        """The id of the conversation there if it still has something to answer or deliver."""
        conversation = await self._conversation(address, agent_name)
        is_idle = conversation is None or conversation.ready_at is None
        return None if conversation is None or is_idle else conversation.id

    async def open_questions(self, conversation_id: int) -> list[HistoryEntry]:
        """What was said there and still waits for its answer, in order."""
        return [
            HistoryEntry(author=asked.author, text=asked.text, at=asked.sent_at, is_agent=False)
            for asked in await inbox.unanswered(conversation_id)
        ]

    async def talks(self) -> Sequence[ConversationInfo]:
        """Every conversation, the one with the newest message first."""
        names = await self._directory.names_by_id()
        talks = [
            ConversationInfo(
                agent=names.get(conversation.agent_id, "(deleted)"),
                address=conversation.address,
                messages=conversation.last_seq,
                last_at=await messages.last_said_at(conversation.id),
            )
            for conversation in await conversations.everything()
        ]
        return sorted(talks, key=_newest_first, reverse=True)

    async def _explained(self, turn: Turn) -> Explanation:
        conversation = await conversations.by_id(turn.conversation_id)
        agent = await self._directory.of(conversation.agent_id)
        spent = await activity.spent(turn.id)
        prices = [call.nano_usd for call in spent]
        steps = await activity.tool_steps(turn.id)
        visible = await outbox.of_turn(turn.id)
        return Explanation(
            turn=turn.id,
            agent=agent.spec.name,
            revision=turn.revision,
            state=turn.state.value,
            failure=turn.failure,
            attempts=turn.attempts,
            failures=sum(message.failures for message in visible),
            given_up=sum(message.state is OutboxState.DEAD for message in visible),
            models=tuple(dict.fromkeys(call.model for call in spent)),
            tools=tuple(str(step.content.get("name", "")) for step in steps),
            input_tokens=sum(call.input_tokens for call in spent),
            output_tokens=sum(call.output_tokens for call in spent),
            nano_usd=None if None in prices else sum(price or 0 for price in prices),
            ended_at=turn.ended_at,
        )

    async def _conversation(self, address: Address, agent_name: str) -> Conversation | None:
        agent = await self._directory.get(agent_name)
        return await conversations.find(agent_id=agent.id, address=address.key)


def _newest_first(talk: ConversationInfo) -> tuple[bool, str]:
    return talk.last_at is not None, talk.last_at.isoformat() if talk.last_at else ""


async def _told_by(workspace: Address, person: str) -> list[Fact]:
    """What is remembered in a workspace of what this person has told, in whichever way."""
    command = _told_by_command(workspace, person)
    return await facts.told_by(person, command=command, below=workspace.key)


def _told_by_command(address: Address, person: str) -> str:
    """The source of a fact that was told by command: the person, in that workspace."""
    return "/".join((address.platform, *address.parts[:1], f"@{person}"))
