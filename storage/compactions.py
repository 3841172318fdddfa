"""Compactions: a stretch of a history read once by the model, under a fence of its own.

Whoever answers there is not waited for and does not wait: a compaction has its own token.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from tortoise.expressions import F
from tortoise.queryset import QuerySet

from storage import learning, usage
from storage.drivers.script import Script, changed, script, together
from storage.drivers.transaction import reading, transaction, write_first
from storage.errors import LeaseLost, StorageError
from storage.learning import Learned
from storage.lease import milliseconds
from storage.models import Agent, Conversation, Summary, SummaryKind
from storage.side_models import Compaction, CompactionKind, CompactionState
from storage.usage import Call, Spent

AFTER_VAIN = 40  # messages that a history has to grow by before it is tried again
_WRITTEN = "UPDATE compaction SET state = ?, content = ? WHERE id = ? AND token = ?"
_TRIED = "UPDATE compaction SET tries = ? WHERE id = ? AND token = ?"


class Changed(StorageError):
    """Who can read there has changed since, so nothing was kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """What is to be read: after_seq < seq <= upto_seq. `turn_id` is the newest turn then."""

    conversation_id: int
    agent_id: int
    turn_id: int
    kind: CompactionKind
    after_seq: int
    upto_seq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What is kept of it; without a summary, the view of the history stays as it is.

    `scope` is that of readers such as `readers`, `place` the address of the conversation.
    """

    summary: str | None
    facts: Sequence[Learned]
    scope: str
    place: str
    readers: str


@transaction
async def open_over(
    stretch: Stretch, *, owner: str, now: datetime, seconds: float
) -> Compaction | None:
    """Lease a new one over this stretch; None if there is one, or the view has moved meanwhile."""
    where = stretch.conversation_id
    await Conversation.select_for_update().get(id=where)
    known = Compaction.filter(conversation_id=where)
    same = known.filter(kind=stretch.kind)
    if (
        await known.filter(ready_at__not_isnull=True).exists()
        or await same.filter(upto_seq=stretch.upto_seq).exists()
        or await same.filter(  # it was read in vain
            after_seq__gte=stretch.after_seq,
            upto_seq__gt=stretch.upto_seq - AFTER_VAIN,
        ).exists()
    ):
        return None
    newest = await _newest_summary(where)
    if stretch.kind is CompactionKind.GROWN and newest and newest.upto_seq > stretch.after_seq:
        return None
    return await Compaction.create(
        conversation_id=where,
        agent_id=stretch.agent_id,
        turn_id=stretch.turn_id,
        kind=stretch.kind,
        state=CompactionState.OPEN,
        after_seq=stretch.after_seq,
        upto_seq=stretch.upto_seq,
        ready_at=_until(now, seconds),
        owner=owner,
        token=1,
        opened_at=now,
    )


@reading
async def waiting(now: datetime, *, limit: int) -> list[int]:
    """The ids of those that somebody left, or put off until now."""
    ready = Compaction.filter(ready_at__lte=milliseconds(now)).order_by("ready_at").limit(limit)
    return [row.id for row in await ready]


@transaction
async def claim(number: int, *, owner: str, now: datetime, seconds: float) -> Compaction | None:
    """Lease one of those; None if somebody else was quicker.

    Whoever had it before and never gave it back counts as a call that came to nothing.
    """
    ready = Compaction.filter(id=number, ready_at__lte=milliseconds(now))
    await ready.filter(owner__not_isnull=True).update(failures=F("failures") + 1)
    if not await ready.update(token=F("token") + 1, owner=owner, ready_at=_until(now, seconds)):
        return None
    return await Compaction.get(id=number)


@write_first
async def keep(row: Compaction, now: datetime, seconds: float) -> None:
    """Renew the lease.

    Raises:
        LeaseLost: somebody else has it.
    """
    await _fenced(row, ready_at=_until(now, seconds))


@script
def record(
    row: Compaction, content: dict[str, object], spent: Spent, *, step: int, now: datetime
) -> Script[None]:
    """Journal what the model wrote, with its cost: nobody asks it again.

    Raises:
        LeaseLost: somebody else has it.
    """
    yield from _fenced_script(row, _WRITTEN, CompactionState.WRITTEN, content)
    yield from together(*usage.add(spent, _call(row, step), now))


@script
def try_again(
    row: Compaction, spent: Spent, *, step: int, attempt: int, now: datetime
) -> Script[None]:
    """What the model wrote at this attempt cannot be used: count that, and what it cost.

    Raises:
        LeaseLost: somebody else has it.
    """
    yield from _fenced_script(row, _TRIED, attempt)
    yield from together(*usage.add(spent, _call(row, step), now))


@write_first
async def put_off(row: Compaction, until: datetime, *, has_failed: bool) -> None:
    """Give it back, for whoever comes at that time; a call that came to nothing counts."""
    await _mine(row).update(
        token=F("token") + 1,
        owner=None,
        ready_at=milliseconds(until),
        failures=F("failures") + int(has_failed),
    )


@write_first
async def leave_out(row: Compaction, now: datetime) -> None:
    """Nothing comes of it: the history is cut without a summary when it has to be.

    Raises:
        LeaseLost: somebody else has it.
    """
    await _fenced(row, **_ended(CompactionState.LEFT_OUT, now))


@transaction
async def finish(row: Compaction, outcome: Outcome, now: datetime) -> None:
    """Keep the facts, and the summary from which the view begins now. All of it, once.

    What was begun anew meanwhile keeps nothing.

    Raises:
        LeaseLost: somebody else has it.
        Changed: others can read there now.
    """
    # One at a time of an agent, so that its histories of one place learn a fact once.
    await Agent.filter(id=row.agent_id).select_for_update().only("id")
    where = await Conversation.select_for_update().get(id=row.conversation_id)
    if where.readers != outcome.readers:
        raise Changed(f"others can read in conversation {where.id} now")
    newest = await _newest_summary(where.id)
    is_reset = await Summary.filter(
        conversation_id=where.id, kind=SummaryKind.RESET, upto_seq__gt=row.after_seq
    ).exists()
    state = CompactionState.LEFT_OUT if is_reset else CompactionState.DONE
    await _fenced(row, **_ended(state, now))
    if is_reset:
        return
    for number, learned in enumerate(outcome.facts, start=1):
        key = f"compaction/{row.id}/{number}"
        await learning.learn(
            learned, key=key, agent_id=row.agent_id, scope=outcome.scope, place=outcome.place
        )
    if outcome.summary is not None:
        await Summary.create(
            conversation_id=where.id,
            upto_seq=max(row.upto_seq, newest.upto_seq if newest else 0),
            kind=SummaryKind.CUT,
            text=outcome.summary,
            facts=await learning.best(agent_id=row.agent_id, scope=outcome.scope),
            made_at=now,
        )


@reading
async def is_done(row: Compaction) -> bool:
    """Whether it has ended, with something kept of it."""
    return await Compaction.filter(id=row.id, state=CompactionState.DONE).exists()


@reading
async def learned_upto(conversation_id: int) -> int:
    """The message up to which facts were learned there, or tried to be."""
    ended = Compaction.filter(conversation_id=conversation_id, ended_at__not_isnull=True)
    newest = await ended.order_by("-upto_seq").first()
    return newest.upto_seq if newest else 0


@write_first
async def take_from(owners: Sequence[str], now: datetime) -> int:
    """Make everything that these dead owners had leased claimable at once; returns how many.

    They stay its owners: that they died with it counts when it is claimed.
    """
    theirs = Compaction.filter(owner__in=list(owners))
    return await theirs.update(token=F("token") + 1, ready_at=milliseconds(now))


async def _newest_summary(conversation_id: int) -> Summary | None:
    found = Summary.filter(conversation_id=conversation_id)
    return await found.order_by("-upto_seq", "-id").first()


def _call(row: Compaction, step: int) -> Call:
    return Call(turn_id=row.turn_id, agent_id=row.agent_id, step=step)


async def _fenced(row: Compaction, **changes: object) -> None:
    if not await _mine(row).update(**changes):
        raise _lost(row)


def _fenced_script(row: Compaction, statement: str, *values: object) -> Script[None]:
    if not (yield from changed(statement, *values, row.id, row.token)):
        raise _lost(row)


def _lost(row: Compaction) -> LeaseLost:
    return LeaseLost(f"compaction {row.id} is worked on by another process")


def _mine(row: Compaction) -> QuerySet[Compaction]:
    return Compaction.filter(id=row.id, token=row.token)


def _ended(state: CompactionState, now: datetime) -> dict[str, object]:
    """Its words are in the summary and the facts, or nowhere; who still holds it does no more."""
    return {
        "state": state,
        "content": None,
        "ready_at": None,
        "owner": None,
        "ended_at": now,
        "token": F("token") + 1,
    }


def _until(now: datetime, seconds: float) -> int:
    return milliseconds(now + timedelta(seconds=seconds))
