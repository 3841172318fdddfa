"""The look back on each turn: what the prompt does not show, found by the words of the question."""

from __future__ import annotations

import logging

from core.address import Address
from core.context.decide import Material, Shown, room_to_look_back
from core.context.history import total
from core.context.load import Asked
from core.llm.tokens import estimate
from core.memory.recall import recalled
from core.memory.search import Where
from core.memory.terms import Scope
from storage.errors import DatabaseUnusable, NoIndex
from storage.lease import Lease
from storage.models import InboxMessage

log = logging.getLogger(__name__)

_FEWEST = 60  # tokens in which a message fits


async def look_back(lease: Lease, asked: Asked, material: Material, shown: Shown) -> str:
    """What was said there before, as far as it is not shown and there is room for it.

    Once in a turn: its later prompts begin as its first one did. Nothing is asked of the database
    where everything that was said is shown.
    """
    memory = asked.memory
    if memory.found is None and not shown.is_bare:
        begin = _begin(material, shown)
        has_more = material.has_more or begin > material.could_begin_at
        words = _words(asked.questions[-1])
        memory.found = await _looked_for(lease, words, material, shown, begin) if has_more else ""
    return "" if shown.is_bare else memory.found or ""


def _begin(material: Material, shown: Shown) -> int:
    """The first message of the history that is shown, or would be the next one."""
    if shown.history:  # the newest of it
        return material.history[-len(shown.history)].seq
    return material.history[-1].seq + 1 if material.history else material.begins_at


def _words(question: InboxMessage) -> str:
    """Its own, and those of what it replies to: what others said before is not what is asked."""
    return "\n".join([question.text, *(quote["text"] for quote in question.quotes or ())])


async def _looked_for(
    lease: Lease, words: str, material: Material, shown: Shown, begin: int
) -> str:
    room = material.budget - material.tools - _tokens(shown)
    tokens = min(room_to_look_back(material.budget), room)
    if tokens < _FEWEST:
        return ""
    where = Where(
        scope=Scope(lease.agent_id, Address.parse(lease.address, lease.readers).scope),
        apart_from=(lease.conversation_id, begin),
    )
    try:
        return await recalled(words, where, tokens=tokens)
    except NoIndex:  # as was said at the start
        return ""
    except DatabaseUnusable as error:  # an answer without it is better than none
        log.warning("nothing was looked for", extra={"why": str(error)})
        return ""


def _tokens(shown: Shown) -> int:
    """Of all that is shown, by estimate."""
    parts = (shown.instructions, shown.summary)
    said = total(shown.asked) + shown.history_tokens + total(shown.journal)
    return sum(map(estimate, parts)) + shown.front.tokens + shown.tail.tokens + said
