"""What came before a turn, as far as a prompt may show it, in one read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from storage import facts, messages, summaries
from storage.drivers.script import Script, inside, reading_script
from storage.lease import Lease
from storage.messages import Entry
from storage.models import Fact, Summary


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """The facts to be shown, oldest first, what the view begins with, and the messages after it."""

    facts: Sequence[Fact]
    summary: Summary | None
    history: Sequence[Entry]


@reading_script
def read(lease: Lease, *, scope: str, tokens: int, at_most: int) -> Script[Past]:
    """What is known in this scope, and the newest messages, as `messages.window` counts them."""
    summary = yield from inside(summaries.newest)(lease.conversation_id)
    known = yield from inside(facts.shown)(
        agent_id=lease.agent_id, scope=scope, front=summary.facts if summary else ()
    )
    history = yield from inside(messages.window)(
        lease.conversation_id,
        after_seq=summary.upto_seq if summary else 0,
        tokens=tokens,
        at_most=at_most,
    )
    return Past(facts=known, summary=summary, history=history)
