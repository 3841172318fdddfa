"""Facts that a model has learned: kept with the messages that say so, and gone with them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from tortoise.expressions import Subquery
from tortoise.queryset import QuerySet

from storage.drivers.transaction import reading
from storage.models import Fact, InboxMessage
from storage.side_models import FactOrigin, Source

_AT_ONCE = 500  # keys in one statement
IN_FRONT = 100  # facts with which a prompt may begin


@dataclass(frozen=True, slots=True, kw_only=True)
class Learned:
    """What a model found in the messages of these keys; `replaces` is the fact that holds no more.

    They are messages of people.
    """

    text: str
    sources: Sequence[str]
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


@reading
async def in_front(*, agent_id: int, scope: str) -> list[int]:
    """The ids of those that a prompt begins with.

    What was told comes first, then what was asked for most often, then the newest.
    """
    return await best(agent_id=agent_id, scope=scope)


async def best(*, agent_id: int, scope: str) -> list[int]:
    """As `in_front`, inside of the caller's transaction."""
    found = await _holding(agent_id, scope).values_list("id", "origin", "uses")
    ranked = sorted(found, key=lambda each: (each[1] == FactOrigin.TOLD, each[2], each[0]))
    return [int(row[0]) for row in ranked[::-1][:IN_FRONT]]


async def learn(learned: Learned, *, key: str, agent_id: int, scope: str, place: str) -> None:
    """Keep what a model found, inside of the caller's transaction.

    The newer one wins: what it takes the place of says until when it held. What was told stays,
    and the new one says that it speaks against it. What is known already counts as asked for.
    Whose messages are all gone meanwhile is not kept, nor what somebody wanted forgotten.
    """
    sources = await _standing(learned.sources, agent_id, scope)
    if not sources or await _is_forgotten(learned.text, sources[-1].sent_at, agent_id, scope):
        return
    known = _holding(agent_id, scope).filter(text=learned.text)
    if same := await known.select_for_update().first():
        await Fact.filter(id=same.id).update(uses=same.uses + 1)
        if same.origin == FactOrigin.LEARNED:  # what was told needs no message that says so
            await _add_sources(same.id, sources)
        return
    fact = await _new(learned, sources[-1], key=key, agent_id=agent_id, scope=scope, place=place)
    await _add_sources(fact.id, sources)


async def _new(
    learned: Learned, newest: InboxMessage, *, key: str, agent_id: int, scope: str, place: str
) -> Fact:
    older = await _holding(agent_id, scope).get_or_none(id=learned.replaces or 0)
    is_told = older is not None and older.origin == FactOrigin.TOLD
    is_older = older is not None and older.said_at > newest.sent_at
    fact = await Fact.create(
        key=key,
        agent_id=agent_id,
        scope=scope,
        text=learned.text,
        said_by=newest.author,
        source_key=newest.key,
        said_at=newest.sent_at,
        origin=FactOrigin.LEARNED,
        author_id=newest.author_id,
        place=place,
        contradicts=older.id if older and is_told and not is_older else None,
        superseded_by=older.id if older and is_older else None,
        held_until=older.said_at if older and is_older else None,
    )
    if older and not (is_told or is_older):
        await Fact.filter(id=older.id).update(superseded_by=fact.id, held_until=newest.sent_at)
    return fact


async def _add_sources(fact_id: int, messages: Sequence[InboxMessage]) -> None:
    known = {each.message_key for each in await Source.filter(fact_id=fact_id)}
    new = [each.key for each in messages if each.key not in known]
    await Source.bulk_create([Source(fact_id=fact_id, message_key=key) for key in new])


async def _standing(keys: Sequence[str], agent_id: int, scope: str) -> list[InboxMessage]:
    """Those of these messages that are still there, the newest last.

    They stay there until the transaction ends. From none of them stems what was forgotten.
    """
    there = InboxMessage.filter(key__in=list(keys)).exclude(text="").order_by("sent_at", "id")
    gone = Fact.filter(agent_id=agent_id, scope=scope, forgotten_at__not_isnull=True)
    told = gone.filter(source_key__in=list(keys))
    learned = Source.filter(message_key__in=list(keys), fact_id__in=Subquery(gone.values("id")))
    forgotten = {fact.source_key for fact in await told}
    forgotten |= {row.message_key for row in await learned}
    return [each for each in await there.select_for_update() if each.key not in forgotten]


async def _is_forgotten(text: str, said_at: datetime, agent_id: int, scope: str) -> bool:
    """Whether somebody wanted these very words forgotten after they were said."""
    return await Fact.filter(
        agent_id=agent_id, scope=scope, text=text, forgotten_at__gt=said_at
    ).exists()


async def drop_sources(keys: Iterable[str]) -> int:
    """These messages are gone: so is what was learned from them alone. Returns how many facts.

    Inside of the caller's transaction. What such a fact had taken the place of holds again, unless
    something newer had taken its own. Rows are locked as they are read: what was learned meanwhile
    is seen, whichever moment the transaction otherwise sees.
    """
    gone, count = sorted(keys), 0
    for start in range(0, len(gone), _AT_ONCE):
        sources = Source.filter(message_key__in=gone[start : start + _AT_ONCE])
        concerned = {each.fact_id for each in await sources.select_for_update()}
        if not concerned:
            continue
        facts = Fact.filter(id__in=concerned).select_for_update()
        await facts.only("id")
        await sources.delete()
        others = Source.filter(fact_id__in=concerned).order_by("id").select_for_update()
        kept = {each.fact_id: each.message_key for each in await others}
        for number in concerned:  # read one by one: the one before may have changed it
            if (fact := await facts.get_or_none(id=number)) is None:
                continue
            if number not in kept:
                await _drop(fact)
            elif fact.source_key in gone:
                await _say(fact, kept[number])
        count += len(concerned - kept.keys())
    return count


async def _say(fact: Fact, key: str) -> None:
    """Let this message be what it was learned from, in place of one that is gone."""
    if said := await InboxMessage.get_or_none(key=key):
        await Fact.filter(id=fact.id).update(
            source_key=key, said_by=said.author, author_id=said.author_id, said_at=said.sent_at
        )


async def _drop(fact: Fact) -> None:
    older = Fact.filter(superseded_by=fact.id)
    await older.update(superseded_by=fact.superseded_by, held_until=fact.held_until)
    await fact.delete()


def _holding(agent_id: int, scope: str) -> QuerySet[Fact]:
    return Fact.filter(agent_id=agent_id, scope=scope, superseded_by=None, forgotten_at=None)
