"""What was said in a thread before somebody asked there: shown to whoever is asked, once."""

from __future__ import annotations

import logging

from core.address import Address
from core.config.spec import AgentSpec
from core.errors import DeliveryRefused, Transient
from core.llm.tokens import BYTES_A_TOKEN
from core.messaging import threads
from core.messaging.access import Gate
from core.messaging.adapter import Adapter, ReadsThreads
from core.messaging.messages import Quote
from core.text import clipped
from storage.models import InboxMessage

log = logging.getLogger(__name__)

_HEADING = "[said in this thread before:]"
_UNREAD = "[what was said in this thread before could not be read: say so if it matters]"
_LONGEST_OF_ONE = 2_000  # characters
_PART = 8  # of the agent's window, that all of it may take


async def said_before(
    adapter: Adapter,
    gate: Gate,
    question: InboxMessage,
    at: Address,
    spec: AgentSpec,
    *,
    last_seq: int,
) -> str:
    """The newest of what others said before the question, as far as it fits; often nothing.

    Nobody follows what is said while no agent was asked: before the first question in a thread,
    and from when somebody else was spoken to. `at` is where the conversation is, `last_seq` that
    of its history: it tells what retention has deleted. Who may not ask the agent is left out.
    """
    if not (question.thread and isinstance(adapter, ReadsThreads)):
        return ""
    thread = Address.parse(question.thread, at.readers)
    after = await threads.unheard_after(thread, question.position)
    if after is None or (not after and last_seq and at.key == thread.key):
        return ""
    try:
        said = await adapter.said_in(thread, after=after, before=question.position)
    except (Transient, DeliveryRefused) as error:
        log.warning("thread not read", extra={"key": question.key, "why": str(error)})
        return f"{_UNREAD}\n\n"
    let = [each for each in said if each.author and await gate.lets(each.author, thread, spec.name)]
    return _shown(let, room=int(spec.window_tokens * BYTES_A_TOKEN) // _PART)


def _shown(said: list[Quote], *, room: int) -> str:
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
    return f"{_HEADING}\n{quoted}\n\n" if lines else ""
