"""Facts that a model has learned: kept with the messages that say so, and gone with them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from tortoise.queryset import QuerySet

from storage.drivers.transaction import reading
from storage.models import Fact, InboxMessage
from storage.side_models import FactOrigin, Source

_AT_ONCE = 500  # keys in one statement
_IN_FRONT = 100  # facts with which a prompt may begin


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceMessage:
    """What a fact was learned from: a person's message."""

    key: str
    author: str
    author_id: str
    said_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Learned:
    """What a model found in what people said; `replaces` is the fact that holds no more."""

    text: str
    sources: Sequence[SourceMessage]
    replaces: int | None = None


@reading
async def sources(fact_ids: Sequence[int]) -> dict[int, list[InboxMessage]]:
    """The messages that each of these facts was learned from."""
    rows = await Source.filter(fact_id__in=list(fact_ids)).order_by("id")
    keys = [row.message_key for row in rows]
    said = {each.key: each for each in await InboxMessage.filter(key__in=keys)}
    found: dict[int, list[InboxMessage]] = {}
    for row in rows:
        if message := said.get(row.message_key):
            found.setdefault(row.fact_id, []).append(message)
    return found


async def best(*, agent_id: int, scope: str) -> list[int]:
    """The ids of those that a prompt begins with, inside of the caller's transaction.

    What was told comes first, then what was asked for most often, then the newest.
    """
    found = await _holding(agent_id, scope).values_list("id", "origin", "uses")
    ranked = sorted(found, key=lambda each: (each[1] == FactOrigin.TOLD, each[2], each[0]))
    return [int(row[0]) for row in ranked[::-1][:_IN_FRONT]]


async def learn(learned: Learned, *, key: str, agent_id: int, scope: str, place: str) -> None:
    """Keep what a model found, inside of the caller's transaction.

    The newer one wins: what it takes the place of says until when it held. What was told stays,
    and the new one says that it speaks against it. What is known already counts as asked for.
    Whose messages are all gone meanwhile is not kept.
    """
    sources = await _standing(learned.sources)
    if not sources:
        return
    if same := await _holding(agent_id, scope).filter(text=learned.text).first():
        await Fact.filter(id=same.id).update(uses=same.uses + 1)
        return
    newest = max(sources, key=lambda each: each.said_at)
    older = await _holding(agent_id, scope).get_or_none(id=learned.replaces or 0)
    is_told = older is not None and older.origin == FactOrigin.TOLD
    is_older = older is not None and older.said_at > newest.said_at
    fact = await Fact.create(
        key=key,
        agent_id=agent_id,
        scope=scope,
        text=learned.text,
        said_by=newest.author,
        source_key=newest.key,
        said_at=newest.said_at,
        origin=FactOrigin.LEARNED,
        author_id=newest.author_id,
        place=place,
        contradicts=older.id if older and is_told and not is_older else None,
        superseded_by=older.id if older and is_older else None,
        held_until=older.said_at if older and is_older else None,
    )
    await Source.bulk_create([Source(fact_id=fact.id, message_key=each.key) for each in sources])
    if older and not (is_told or is_older):
        await Fact.filter(id=older.id).update(superseded_by=fact.id, held_until=newest.said_at)


async def _standing(sources: Sequence[SourceMessage]) -> list[SourceMessage]:
    """Those whose messages are still there."""
    keys = [each.key for each in sources]
    rows = InboxMessage.filter(key__in=keys).exclude(text="")
    there = {str(key) for key in await rows.values_list("key", flat=True)}
    return list({each.key: each for each in sources if each.key in there}.values())


async def drop_sources(keys: Iterable[str]) -> int:
    """These messages are gone: so is what was learned from them alone. Returns how many facts.

    Inside of the caller's transaction. What such a fact had taken the place of holds again.
    """
    gone, count = sorted(keys), 0
    for start in range(0, len(gone), _AT_ONCE):
        sources = Source.filter(message_key__in=gone[start : start + _AT_ONCE])
        concerned = set(await sources.values_list("fact_id", flat=True))
        if not concerned:
            continue
        await sources.delete()
        kept = set(await Source.filter(fact_id__in=concerned).values_list("fact_id", flat=True))
        orphans = list(concerned - kept)
        await Fact.filter(superseded_by__in=orphans).update(superseded_by=None, held_until=None)
        await Fact.filter(id__in=orphans).delete()
        count += len(orphans)
    return count


def _holding(agent_id: int, scope: str) -> QuerySet[Fact]:
    return Fact.filter(agent_id=agent_id, scope=scope, superseded_by=None, forgotten_at=None)
