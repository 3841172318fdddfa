"""What was said in a thread or channel before somebody asked there: shown to whoever is asked."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial

from core.address import Address
from core.config.agents_file import AgentsFile
from core.config.binding import Listen
from core.config.spec import AgentSpec
from core.errors import DeliveryRefused, Transient
from core.llm.tokens import BYTES_A_TOKEN
from core.messaging import threads
from core.messaging.access import Gate
from core.messaging.adapter import Adapter, ReadsThreads, reads_threads
from core.messaging.directory import Directory
from core.messaging.messages import Author, Quote
from core.messaging.quotes import is_let, marked, readable, words_of
from core.messaging.routing import binding_at
from core.text import clipped
from storage import messages
from storage.lease import Lease
from storage.models import InboxMessage

log = logging.getLogger(__name__)

_IN_THREAD = "said in this thread before"
_IN_CHANNEL = "said in this channel before"
_BY_OTHERS = "answered here by other agents"
_UNREAD = "[what was said in this thread before could not be read: say so if it matters]"
_LONGEST_OF_ONE = 2_000  # characters
_PART = 8  # of the agent's window, that all of it may take
_FEW = 10  # messages of a channel, or answers of other agents
_RECENT = timedelta(days=1)  # answers of other agents
_PATIENCE = 2.0  # seconds for them


class Earlier:
    """Reads what was said where somebody asks, as far as the agent may be shown it."""

    def __init__(self, gate: Gate, directory: Directory, file: AgentsFile) -> None:
        self._gate = gate
        self._directory = directory
        self._file = file

    async def said_before(
        self,
        adapter: Adapter,
        question: InboxMessage,
        at: Address,
        spec: AgentSpec,
        *,
        last_seq: int,
    ) -> str:
        """The newest of what others said before the question, as far as it fits; often nothing.

        Nobody follows what is said while no agent was asked: before the first question in a thread,
        and from when somebody else was spoken to; in a channel, before a conversation begins, but
        where the question is a reply, which says what it is about. `at` is where the conversation
        is, `last_seq` that of its history: it tells what retention has deleted. Who may not ask
        the agent is left out.
        """
        if not reads_threads(adapter):
            return ""
        if question.thread and question.thread != question.key:
            thread = Address.parse(question.thread, at.readers)
            is_known = bool(last_seq) and at.key == thread.key
            return await self._in_thread(adapter, question, thread, spec, is_known=is_known)
        if last_seq or question.quotes:
            return ""
        return await self._in_channel(adapter, question, at.channel, spec)

    async def answered_by_others(
        self, adapter: Adapter, lease: Lease, spec: AgentSpec, now: datetime
    ) -> str:
        """The newest answers of other agents at this place of a platform, as far as they fit.

        Each agent has a history of its own: what the others say there stands beside the question.
        """
        if not reads_threads(adapter):
            return ""
        entries = await messages.of_others(lease, since=now - _RECENT, limit=_FEW)
        said = [
            Quote(author=Author(id=f"agent/{each.author}", name=each.author), text=each.text)
            for each in entries
        ]
        return _shown(_BY_OTHERS, said, room=_room(spec))

    async def _in_thread(
        self,
        adapter: ReadsThreads,
        question: InboxMessage,
        thread: Address,
        spec: AgentSpec,
        *,
        is_known: bool,
    ) -> str:
        after = await threads.unheard_after(thread, question.position)
        if after is None or (not after and is_known):
            return ""
        try:
            said = await adapter.said_in(thread, after=after, before=question.position)
        except (Transient, DeliveryRefused) as error:
            log.warning("thread not read", extra={"key": question.key, "why": str(error)})
            return f"{_UNREAD}\n\n"
        let = await self._let(said, thread, spec)
        return _shown(_IN_THREAD, let, room=_room(spec))

    async def _in_channel(
        self, adapter: ReadsThreads, question: InboxMessage, channel: Address, spec: AgentSpec
    ) -> str:
        """The last few messages there; without them the question is answered all the same.

        An agent that listens to everything there has heard them.
        """
        binding = await binding_at(channel, self._file, self._directory)
        if binding and binding.listen is Listen.ALL:
            return ""
        try:
            async with asyncio.timeout(_PATIENCE):
                said = await adapter.said_in(channel, after=0, before=question.position)
        except (Transient, DeliveryRefused, TimeoutError) as error:
            log.info("channel not read", extra={"key": question.key, "why": str(error)})
            return ""
        let = await self._let(said[-_FEW:], channel, spec)
        return _shown(_IN_CHANNEL, let, room=_room(spec))

    async def _let(self, said: Sequence[Quote], at: Address, spec: AgentSpec) -> list[Quote]:
        """Without what people say who may not ask, and what they are quoted with."""
        lets = partial(self._gate.lets, at=at, agent=spec.name)
        spoken = [each for each in said if await is_let(each.author, lets)]
        let = [await readable(each, lets) for each in spoken]
        return [each for each in let if words_of(each)]


def _room(spec: AgentSpec) -> int:
    return int(spec.window_tokens * BYTES_A_TOKEN) // _PART


def _shown(heading: str, said: list[Quote], *, room: int) -> str:
    """Newest first into the room (bytes), oldest first on the page."""
    lines: list[str] = []
    for number, each in enumerate(reversed(said)):
        name = each.author.name if each.author else ""
        line = clipped(f"{name}: {words_of(each)}", _LONGEST_OF_ONE)
        room -= len(line.encode())
        if room < 0:
            lines.append(f"[… {len(said) - number:,} earlier messages]")
            break
        lines.append(line)
    return marked(heading, "\n".join(reversed(lines))) + "\n\n" if lines else ""
