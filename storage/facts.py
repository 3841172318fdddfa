"""Facts that an agent was told or has learned, each in its scope and with its source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from tortoise.exceptions import IntegrityError
from tortoise.expressions import F, Q, Subquery

from storage import passages
from storage.drivers.script import Script, marks, reading_script, select, whole
from storage.drivers.transaction import reading, transaction
from storage.models import Conversation, Fact, InboxMessage
from storage.side_models import Source

_AT_ONCE = 500  # keys in one statement
_IN_PROMPT = 200  # facts that are read for a prompt at most, besides those of its beginning


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


_THERE = "agent_id = ? AND scope = ? AND forgotten_at IS NULL"
_SHOWN = (
    f"{select(Fact)} WHERE {_THERE} AND (id IN ({{}}) OR id IN (SELECT id FROM"  # noqa: S608  # names of ours
    f" (SELECT id FROM fact WHERE {_THERE} AND id > ? ORDER BY origin DESC, id DESC LIMIT ?)"
    " AS newest)) ORDER BY id"
)


@reading_script
def shown(*, agent_id: int, scope: str, front: Sequence[int]) -> Script[list[Fact]]:
    """For a prompt that begins with the facts `front`: those, and the newest after them, by id.

    If there are too many newer ones, those that were told come first. Also those that something
    newer has taken the place of.
    """
    there, last = (agent_id, scope), max(front, default=0)
    text = _SHOWN.format(marks(len(front) or 1))
    return (yield from whole(Fact, text, *there, *(front or [0]), *there, last, _IN_PROMPT))


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


@transaction
async def move(
    *, agent_id: int, scope: str, told_below: str, to: str, of: int | None = None, readers: str = ""
) -> None:
    """Let facts stand in another scope that were told in messages or commands of such keys.

    At the same moment conversation `of` is for these readers, so that nothing that is learned there
    comes to stand in the old scope.
    """
    if of is not None:
        await Conversation.filter(id=of).update(readers=readers)
        await passages.make_anew(of)
    told_there = Q(source_key__startswith=told_below) | Q(key__startswith=told_below)
    known = Fact.filter(agent_id=agent_id, scope=scope)
    await known.filter(told_there).update(scope=to)
    staying = Subquery(known.values("id"))  # also said elsewhere: they name that alone
    await Source.filter(message_key__startswith=told_below, fact_id__in=staying).delete()


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
