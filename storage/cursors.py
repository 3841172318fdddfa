"""How far something has been read, which only moves forward; or what it was when it was read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from tortoise.exceptions import IntegrityError
from tortoise.expressions import Q

from storage.drivers.transaction import reading, transaction
from storage.models import Cursor


@dataclass(frozen=True, slots=True, kw_only=True)
class Idle:
    """A cursor that has not moved for long."""

    id: int
    name: str


@reading
async def below(name: str) -> dict[str, int]:
    """The positions of the cursor of this name and of those below it, by name."""
    found = await Cursor.filter(Q(name=name) | Q(name__startswith=f"{name}/"))
    return {cursor.name: int(cursor.position) for cursor in found}


async def advance(name: str, position: int, now: datetime) -> None:
    """Move the cursor there, unless it is further already."""
    try:
        await _advance(name, position, now)
    except IntegrityError:  # made by another process meanwhile
        await _advance(name, position, now)


@transaction
async def _advance(name: str, position: int, now: datetime) -> None:
    cursor = await Cursor.select_for_update().get_or_none(name=name)
    if cursor is None:
        await Cursor.create(name=name, position=str(position), moved_at=now)
    elif int(cursor.position) < position:
        await Cursor.filter(id=cursor.id).update(position=str(position), moved_at=now)


@reading
async def last_seen(name: str) -> str | None:
    """What stands under this name, which has to be none of a position."""
    cursor = await Cursor.get_or_none(name=name)
    return cursor.position if cursor else None


async def see(name: str, what: str, now: datetime, *, instead_of: str | None = None) -> None:
    """Write `what` there; with `instead_of`, only where that stands, or nothing."""
    try:
        await _see(name, what, now, instead_of)
    except IntegrityError:  # made by another process meanwhile
        await _see(name, what, now, instead_of)


@transaction
async def _see(name: str, what: str, now: datetime, instead_of: str | None) -> None:
    there = Cursor.filter(name=name)
    as_known = there if instead_of is None else there.filter(position=instead_of)
    if await as_known.update(position=what, moved_at=now) or await there.exists():
        return
    await Cursor.create(name=name, position=what, moved_at=now)


async def settle(name: str, what: str, now: datetime) -> str:
    """Keep this there unless something is kept there already; returns what is kept."""
    try:
        return await _settle(name, what, now)
    except IntegrityError:  # made by another process meanwhile
        return await _settle(name, what, now)


@transaction
async def _settle(name: str, what: str, now: datetime) -> str:
    cursor = await Cursor.select_for_update().get_or_none(name=name)
    if cursor is None:
        cursor = await Cursor.create(name=name, position=what, moved_at=now)
    return cursor.position


@reading
async def idle(*, before: datetime, after_id: int, limit: int) -> list[Idle]:
    """The next cursors that have not moved since `before`.

    The table is read in the order of its ids: an index on the time would cost every move.
    """
    rows = (
        await Cursor.filter(id__gt=after_id, moved_at__lt=before)
        .order_by("id")
        .limit(limit)
        .values_list("id", "name")
    )
    return [Idle(id=number, name=name) for number, name in rows]


@transaction
async def fold(into: str, *, ids: Sequence[int], before: datetime, now: datetime) -> int:
    """Let this cursor stand for those that have still not moved: it goes as far as they are.

    Returns how many are gone; 0 without such a cursor.
    """
    parent = await Cursor.select_for_update().get_or_none(name=into)
    if parent is None:
        return 0
    idling = Cursor.filter(id__in=ids, moved_at__lt=before)
    rows = await idling.select_for_update().only("id", "position")  # a list of values locks nothing
    furthest = max((int(row.position) for row in rows), default=0)
    if furthest > int(parent.position):
        await Cursor.filter(id=parent.id).update(position=str(furthest), moved_at=now)
    return await idling.delete()
