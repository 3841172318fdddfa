"""How far something has been read; a cursor only moves forward."""

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
