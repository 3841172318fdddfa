"""What came before a turn, as far as a prompt may show it, in one read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from storage import facts, messages, passages, summaries
from storage.drivers.script import Script, dialect, inside, reading_script
from storage.lease import Lease
from storage.messages import Entry, View
from storage.models import Fact, Summary, SummaryKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """The facts to be shown, oldest first, what the view begins with, and the messages after it.

    `reset_at` is the seq that the newest reset reaches, 0 without one; `has_sibling`: something was
    said in another conversation of the same scope. Where it `goes_on`, the history is what was said
    since it was read before; `view` is all that was read then and now, if that is the whole view.
    """

    facts: Sequence[Fact]
    summary: Summary | None
    history: Sequence[Entry]
    reset_at: int = 0
    has_sibling: bool = False
    goes_on: bool = False
    view: View | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is known in this scope, and the newest messages, as `messages.window` counts them.

    Siblings are looked for where the scope may have any (`has_others`). What was `seen` before, by
    the same count, need not be read again.
    """

    scope: str
    tokens: int
    at_most: int
    has_others: bool
    seen: View | None = None


async def read(lease: Lease, wanted: Wanted) -> Past:
    """What came before the turn of this lease."""
    return await _read(lease, wanted, dialect() if wanted.has_others else "")


@reading_script
def _read(lease: Lease, wanted: Wanted, siblings_in: str) -> Script[Past]:
    where, scope = lease.conversation_id, wanted.scope
    since = yield from _since(where, wanted)
    seen = wanted.seen if since else None
    summary = seen.summary if seen else (yield from inside(summaries.newest)(where))
    known = yield from inside(facts.shown)(
        agent_id=lease.agent_id, scope=scope, front=summary.facts if summary else ()
    )
    history = since or (yield from _window(where, summary, wanted))
    sibling = bool(siblings_in) and (
        yield from passages.has_sibling(siblings_in, lease.agent_id, where, scope)
    )
    return Past(
        facts=known,
        summary=summary,
        history=history,
        reset_at=summary.upto_seq if summary and summary.kind is SummaryKind.RESET else 0,
        has_sibling=sibling,
        goes_on=seen is not None,
        view=_view(summary, history, wanted, seen),
    )


def _since(conversation_id: int, wanted: Wanted) -> Script[list[Entry]]:
    """What was said since the view was seen, if it is still the same and has room for that."""
    if wanted.seen is None:
        return []
    since = yield from messages.after(conversation_id, wanted.seen)
    return since if _view(None, since, wanted, wanted.seen) else []


def _window(conversation_id: int, summary: Summary | None, wanted: Wanted) -> Script[list[Entry]]:
    return (
        yield from inside(messages.window)(
            conversation_id,
            after_seq=summary.upto_seq if summary else 0,
            tokens=wanted.tokens,
            at_most=wanted.at_most,
        )
    )


def _view(
    summary: Summary | None, history: Sequence[Entry], wanted: Wanted, seen: View | None
) -> View | None:
    """What has been read with this; None if it is not all."""
    begin = summary.upto_seq if summary else 0
    seen = seen or View(summary=summary, last_seq=begin, count=0, tokens=0)
    tokens = seen.tokens + sum(min(each.tokens, wanted.at_most) for each in history)
    if tokens >= wanted.tokens:
        return None
    last, count = history[-1].seq if history else seen.last_seq, seen.count + len(history)
    return replace(seen, last_seq=last, count=count, tokens=tokens)
