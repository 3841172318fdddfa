"""Facts that an agent was told or has learned, each in its scope and with its source."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from tortoise.exceptions import IntegrityError
from tortoise.expressions import F, Q
from tortoise.queryset import QuerySet

from storage.drivers.script import Script, marks, reading_script, select, whole
from storage.drivers.transaction import reading, transaction
from storage.models import Fact, InboxMessage, InboxState
from storage.side_models import FactOrigin, Source

_AT_ONCE = 500  # keys in one statement
_IN_PROMPT = 200  # facts that are read for a prompt at most, besides those of its beginning
_IN_FRONT = 100  # facts with which a prompt may begin


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What is to be remembered; the same `key` again is the same fact."""

    key: str
    agent_id: int
    scope: str
    text: str
    said_by: str
    source_key: str
    said_at: datetime
    author_id: str | None = None
    place: str | None = None


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


async def add(statement: Statement) -> Fact:
    """Remember a statement, once."""
    try:
        return await _add(statement)
    except IntegrityError:
        return await _by_key(statement.key)


@transaction
async def _add(statement: Statement) -> Fact:
    return await Fact.create(**asdict(statement))


@reading
async def _by_key(key: str) -> Fact:
    return await Fact.get(key=key)


_CURRENT = (
    f"{select(Fact)} WHERE agent_id = ? AND scope = ?"
    " AND superseded_by IS NULL AND forgotten_at IS NULL ORDER BY id"
)


@reading_script
def current(*, agent_id: int, scope: str) -> Script[list[Fact]]:
    """What holds now in this scope, oldest first."""
    return (yield from whole(Fact, _CURRENT, agent_id, scope))


_SHOWN = f"{select(Fact)} WHERE agent_id = ? AND scope = ? AND forgotten_at IS NULL AND (id > ?"


@reading_script
def shown(*, agent_id: int, scope: str, front: Sequence[int]) -> Script[list[Fact]]:
    """For a prompt that begins with the facts `front`: those and the newest after them, by id.

    Also those that something newer has taken the place of.
    """
    text = f"{_SHOWN} OR id IN ({marks(len(front))}))" if front else f"{_SHOWN})"
    found = yield from whole(
        Fact,
        f"{text} ORDER BY id DESC LIMIT {_IN_PROMPT + len(front)}",
        agent_id,
        scope,
        max(front, default=0),
        *front,
    )
    return found[::-1]


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
    rows = InboxMessage.filter(key__in=keys).exclude(state=InboxState.WITHDRAWN).exclude(author="")
    there = set(await rows.values_list("key", flat=True))
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


@reading
async def find(*, fact_id: int, agent_id: int, scope: str) -> Fact | None:
    """A fact of this scope, whether it still holds or not; None if it holds no such fact."""
    return await Fact.get_or_none(id=fact_id, agent_id=agent_id, scope=scope)


@transaction
async def forget(*, fact_id: int, agent_id: int, scope: str, now: datetime) -> bool:
    """Forget a fact of this scope; False if it holds no such fact."""
    return bool(
        await Fact.filter(id=fact_id, agent_id=agent_id, scope=scope, forgotten_at=None).update(
            forgotten_at=now
        )
    )


@transaction
async def supersede(*, fact_id: int, by: int, agent_id: int, scope: str, now: datetime) -> bool:
    """Let a newer fact take the place of an older one; False if it holds no such fact."""
    return bool(
        await Fact.filter(id=fact_id, agent_id=agent_id, scope=scope, superseded_by=None).update(
            superseded_by=by, held_until=now
        )
    )


@transaction
async def use(fact_ids: Sequence[int]) -> None:
    """Count that somebody asked for these."""
    await Fact.filter(id__in=list(fact_ids)).update(uses=F("uses") + 1)


@reading
async def replaced(fact_ids: Sequence[int]) -> dict[int, Fact]:
    """What each of these facts took the place of, last."""
    older = Fact.filter(superseded_by__in=list(fact_ids), forgotten_at=None).order_by("id")
    return {fact.superseded_by: fact for fact in await older if fact.superseded_by}


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


@transaction
async def move(*, agent_id: int, scope: str, told_below: str, to: str) -> None:
    """Let facts stand in another scope that were told in messages or commands of such keys."""
    told_there = Q(source_key__startswith=told_below) | Q(key__startswith=told_below)
    await Fact.filter(told_there, agent_id=agent_id, scope=scope).update(scope=to)


@reading
async def told_by(person: str, *, command: str, below: str) -> list[Fact]:
    """What holds now in scopes below a path and was said by the person of this id, oldest first.

    `command` is the source of what the person had remembered by command, not in a message.
    """
    found = await Fact.filter(
        scope__startswith=f"{below}/", superseded_by=None, forgotten_at=None
    ).order_by("id")
    sources = list({fact.source_key for fact in found})
    theirs = {command}
    for start in range(0, len(sources), _AT_ONCE):
        keys = sources[start : start + _AT_ONCE]
        said = InboxMessage.filter(key__in=keys, author_id=person)
        theirs |= {message.key for message in await said}
    return [fact for fact in found if fact.source_key in theirs]
