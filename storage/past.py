"""What came before a turn, as far as a prompt may show it, in one read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from storage import facts, messages, passages, summaries
from storage.drivers.script import Script, dialect, inside, reading_script
from storage.lease import Lease
from storage.messages import Entry
from storage.models import Fact, Summary, SummaryKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """The facts to be shown, oldest first, what the view begins with, and the messages after it.

    `reset_at` is the seq that the newest reset reaches, 0 without one; `has_sibling`: something was
    said in another conversation of the same scope.
    """

    facts: Sequence[Fact]
    summary: Summary | None
    history: Sequence[Entry]
    reset_at: int = 0
    has_sibling: bool = False


async def read(lease: Lease, *, scope: str, tokens: int, at_most: int, has_others: bool) -> Past:
    """What is known in this scope, and the newest messages, as `messages.window` counts them.

    Siblings are looked for where the scope may have any (`has_others`).
    """
    return await _read(
        lease,
        scope=scope,
        tokens=tokens,
        at_most=at_most,
        siblings_in=dialect() if has_others else "",
    )


@reading_script
def _read(lease: Lease, *, scope: str, tokens: int, at_most: int, siblings_in: str) -> Script[Past]:
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
    reset_at = summary.upto_seq if summary and summary.kind is SummaryKind.RESET else 0
    sibling = bool(siblings_in) and (
        yield from passages.has_sibling(siblings_in, lease.agent_id, lease.conversation_id, scope)
    )
    return Past(
        facts=known, summary=summary, history=history, reset_at=reset_at, has_sibling=sibling
    )
