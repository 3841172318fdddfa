"""How far something has been read, which only moves forward; or what it was when it was read."""

from __future__ import annotations

from datetime import datetime

from tortoise.exceptions import IntegrityError
from tortoise.expressions import Q

from storage.models import Cursor
from storage.transaction import reading, transaction


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


@transaction
async def see(name: str, what: str, now: datetime) -> None:
    """Let this stand there from now on. One process at a time may do so for a name."""
    if not await Cursor.filter(name=name).update(position=what, moved_at=now):
        await Cursor.create(name=name, position=what, moved_at=now)
