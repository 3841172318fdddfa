"""What was said in a thread or channel before somebody asked there: shown to whoever is asked."""

from __future__ import annotations

import asyncio
import logging

from core.address import Address
from core.config.agents_file import AgentsFile
from core.config.binding import Listen
from core.config.spec import AgentSpec
from core.errors import DeliveryRefused, Transient
from core.llm.tokens import BYTES_A_TOKEN
from core.messaging import threads
from core.messaging.access import Gate
from core.messaging.adapter import Adapter, ReadsThreads
from core.messaging.directory import Directory
from core.messaging.messages import Quote
from core.messaging.routing import binding_at
from core.text import clipped
from storage.models import InboxMessage

log = logging.getLogger(__name__)

_IN_THREAD = "[said in this thread before:]"
_IN_CHANNEL = "[said in this channel before:]"
_UNREAD = "[what was said in this thread before could not be read: say so if it matters]"
_LONGEST_OF_ONE = 2_000  # characters
_PART = 8  # of the agent's window, that all of it may take
_FEW = 10  # messages of a channel
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
        if not isinstance(adapter, ReadsThreads):
            return ""
        if question.thread and question.thread != question.key:
            thread = Address.parse(question.thread, at.readers)
            is_known = bool(last_seq) and at.key == thread.key
            return await self._in_thread(adapter, question, thread, spec, is_known=is_known)
        if last_seq or question.quotes:
            return ""
        return await self._in_channel(adapter, question, at.channel, spec)

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
        let = [each for each in said if await self._lets(each, thread, spec)]
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
        let = [each for each in said[-_FEW:] if await self._lets(each, channel, spec)]
        return _shown(_IN_CHANNEL, let, room=_room(spec))

    async def _lets(self, said: Quote, at: Address, spec: AgentSpec) -> bool:
        return said.author is not None and await self._gate.lets(said.author, at, spec.name)


def _room(spec: AgentSpec) -> int:
    return int(spec.window_tokens * BYTES_A_TOKEN) // _PART


def _shown(heading: str, said: list[Quote], *, room: int) -> str:
    """Newest first into the room (bytes), oldest first on the page."""
    lines: list[str] = []
    for number, each in enumerate(reversed(said)):
        name = each.author.name if each.author else ""
        line = clipped(f"{name}: {each.text}", _LONGEST_OF_ONE).replace("\n", "\n> ")
        room -= len(line.encode())
        if room < 0:
            lines.append(f"[… {len(said) - number:,} earlier messages]")
            break
        lines.append(line)
    quoted = "\n".join(f"> {line}" for line in reversed(lines))
    return f"{heading}\n{quoted}\n\n" if lines else ""
