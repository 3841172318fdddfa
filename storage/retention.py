"""Deletes what ended long ago with everything of it, a bounded number of turns in a transaction."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeVar

from tortoise.expressions import Q
from tortoise.models import Model
from tortoise.queryset import QuerySet

from storage import learning
from storage.derived import Passage
from storage.drivers.transaction import reading, transaction
from storage.models import (
    Fact,
    Feedback,
    InboxMessage,
    InboxState,
    Message,
    OutboxMessage,
    OutboxState,
    Step,
    Summary,
    SummaryKind,
    Turn,
    Usage,
)
from storage.side_models import Compaction, FactOrigin

M = TypeVar("M", bound=Model)

_MOST = 100  # turns in one transaction: SQLite lets nobody else write meanwhile
_NOT_DELIVERED = [OutboxState.DRAFT, OutboxState.DUE, OutboxState.SENDING]
_FIELDS = ("id", "conversation_id", "ended_at")
_NOT_ANSWERED = [InboxState.WAITING, InboxState.TAKEN]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What ended before `words` loses its words; before `rows`, which is no later, it goes.

    Between the two a turn keeps what is not for reading: the keys of its questions, by which a
    second delivery of them is known, and what it has cost.
    """

    words: datetime
    rows: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """How many rows of each kind; summaries by their ids."""

    turns: int = 0
    messages: int = 0
    steps: int = 0
    received: int = 0
    sent: int = 0
    usage: int = 0
    feedback: int = 0
    summaries: frozenset[int] = frozenset()

    def __add__(self, other: Pruned) -> Pruned:
        """Both together."""
        return Pruned(
            turns=self.turns + other.turns,
            messages=self.messages + other.messages,
            steps=self.steps + other.steps,
            received=self.received + other.received,
            sent=self.sent + other.sent,
            usage=self.usage + other.usage,
            feedback=self.feedback + other.feedback,
            summaries=self.summaries | other.summaries,
        )

    @property
    def counts(self) -> dict[str, int]:
        """By kind."""
        return {
            "turns": self.turns,
            "messages": self.messages,
            "steps": self.steps,
            "received": self.received,
            "sent": self.sent,
            "usage": self.usage,
            "feedback": self.feedback,
            "summaries": len(self.summaries),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A turn that has ended; they are looked at in that order."""

    id: int
    conversation_id: int
    ended_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What one transaction did, and the turn that it looked at last; None: there are no more."""

    pruned: Pruned
    last: Ended | None


@transaction
async def prune(bounds: Bounds, after: Ended | None) -> Batch:
    """Delete what the next turns leave behind."""
    return await _batch(bounds, after, _Delete())


@transaction
async def expire(before: datetime, after_id: int) -> int:
    """Take their words from the next summaries made before: all they stand for was said earlier.

    Their turns may be gone for long. Returns the id of the last one, 0 at the end.
    """
    made = Summary.filter(id__gt=after_id, made_at__lt=before).exclude(text="")
    ids = await made.order_by("id").limit(_MOST).values_list("id", flat=True)
    if not ids:
        return 0
    await Summary.filter(id__in=ids).update(text="")
    return int(str(ids[-1]))


@reading
async def count(bounds: Bounds, after: Ended | None) -> Batch:
    """What `prune` would delete."""
    return await _batch(bounds, after, _Count())


@transaction
async def prune_withdrawn(before: datetime) -> int:
    """Delete messages that were received before and withdrawn; returns how many, 0 at the end."""
    ids = await _withdrawn(before).limit(_MOST).values_list("id", flat=True)
    return await InboxMessage.filter(id__in=ids).delete() if ids else 0


@reading
async def count_withdrawn(before: datetime) -> int:
    """How many `prune_withdrawn` would delete."""
    return await _withdrawn(before).count()


def _withdrawn(before: datetime) -> QuerySet[InboxMessage]:
    return InboxMessage.filter(  # by the index on turns, of which these have none
        turn_id__isnull=True, state=InboxState.WITHDRAWN, received_at__lt=before
    )


class _Act(Protocol):
    """What is done to rows; returns to how many."""

    def delete(self, rows: QuerySet[M]) -> Awaitable[int]: ...
    def empty(self, rows: QuerySet[InboxMessage]) -> Awaitable[int]: ...
    def unlearn(
        self, talks: Sequence[int], keys: Sequence[str], before: datetime
    ) -> Awaitable[None]: ...


class _Delete:
    async def delete(self, rows: QuerySet[M]) -> int:
        return await rows.delete()

    async def empty(self, rows: QuerySet[InboxMessage]) -> int:
        return await rows.update(text="", author="", attachments=[], quotes=None)

    async def unlearn(self, talks: Sequence[int], keys: Sequence[str], before: datetime) -> None:
        """What was learned from these messages, and that it was looked for."""
        await learning.drop_sources(keys)
        ended = Compaction.filter(conversation_id__in=list(talks), ended_at__lt=before)
        await ended.delete()


class _Count:
    async def unlearn(self, talks: Sequence[int], keys: Sequence[str], before: datetime) -> None:
        """Facts are not counted."""

    async def delete(self, rows: QuerySet[M]) -> int:
        return await rows.count()

    async def empty(self, rows: QuerySet[InboxMessage]) -> int:
        return await rows.count()


async def _batch(bounds: Bounds, after: Ended | None, act: _Act) -> Batch:
    ended = await _ended(bounds.words, after)
    settled = await _settled([turn.id for turn in ended])
    old = {turn.id for turn in ended if turn.ended_at < bounds.rows}
    asked = await InboxMessage.filter(turn_id__in=settled).values_list("key", "turn_id")
    keys = [str(key) for key, _ in asked]
    told = set(await _told_in(keys))
    gone = sorted(old.intersection(settled).difference(turn for key, turn in asked if key in told))
    wordless = sorted(set(settled).difference(gone))
    talks = {turn.conversation_id for turn in ended if turn.id in settled}
    superseded = await _superseded(sorted(talks), bounds.words)
    received = InboxMessage.filter(turn_id__in=wordless).exclude(author="")
    await act.delete(Summary.filter(id__in=superseded))
    pruned = Pruned(
        turns=await act.delete(Turn.filter(id__in=gone)),
        messages=await act.delete(Message.filter(turn_id__in=settled)),
        steps=await act.delete(Step.filter(turn_id__in=settled)),
        received=await act.delete(InboxMessage.filter(turn_id__in=gone))
        + await act.empty(received),
        sent=await act.delete(OutboxMessage.filter(turn_id__in=settled)),
        usage=await act.delete(Usage.filter(turn_id__in=gone)),
        feedback=await act.delete(Feedback.filter(turn_id__in=gone)),
        summaries=frozenset(superseded),
    )
    # After the messages: who learns from one, or indexes it, has its row locked.
    await act.delete(Passage.filter(turn_id__in=settled))
    await act.unlearn(sorted(talks), keys, bounds.words)
    return Batch(pruned=pruned, last=ended[-1] if len(ended) == _MOST else None)


async def _ended(before: datetime, after: Ended | None) -> list[Ended]:
    """The turns that ended first, of those that have not been looked at."""
    turns = Turn.filter(ended_at__lt=before)
    if after:
        turns = turns.filter(
            Q(ended_at__gt=after.ended_at) | Q(id__gt=after.id), ended_at__gte=after.ended_at
        )
    rows = await turns.order_by("ended_at", "id").limit(_MOST).values_list(*_FIELDS)
    return [Ended(**dict(zip(_FIELDS, row, strict=True))) for row in rows]


async def _settled(turn_ids: Sequence[int]) -> list[int]:
    """Those that have nothing to deliver or to answer any more."""
    waiting = [
        *await OutboxMessage.filter(turn_id__in=turn_ids, state__in=_NOT_DELIVERED).values_list(
            "turn_id"
        ),
        *await InboxMessage.filter(turn_id__in=turn_ids, state__in=_NOT_ANSWERED).values_list(
            "turn_id"
        ),
    ]
    busy = {int(row[0]) for row in waiting}
    return [turn_id for turn_id in turn_ids if turn_id not in busy]


async def _told_in(keys: Sequence[str]) -> list[str]:
    """Those messages in which a fact was told: they say whose it is. What is learned goes first."""
    told = Fact.filter(source_key__in=keys).exclude(origin=FactOrigin.LEARNED)
    return [str(key) for key in await told.values_list("source_key", flat=True)]


async def _superseded(conversation_ids: Sequence[int], before: datetime) -> list[int]:
    """The summaries of these histories, made before, in whose place a newer one stands.

    The newest reset stays: whoever searches looks no further back, however often was cut since.
    """
    made = (
        await Summary.filter(conversation_id__in=conversation_ids)
        .order_by("-upto_seq", "-id")
        .values_list("id", "conversation_id", "made_at", "kind")
    )
    kept: dict[tuple[int, bool], int] = {}
    for number, talk, _, kind in made:
        kept.setdefault((talk, False), number)
        kept.setdefault((talk, kind == SummaryKind.RESET), number)
    return [number for number, _, at, _ in made if at < before and number not in kept.values()]
