"""The space that deleted rows leave in a SQLite file, given back to the disk in small steps."""

from __future__ import annotations

from dataclasses import dataclass

from tortoise.connection import get_connections

from storage.drivers.script import Script, reading_script, rows
from storage.drivers.transaction import reading

_STEP = 256  # pages: 12 ms in which nobody else writes
_INCREMENTAL = 2  # as SQLite numbers it


@dataclass(frozen=True, slots=True, kw_only=True)
class FreeSpace:
    """How many bytes of the file are free, and whether `give_back` can give them back.

    A file that was made before this existed can shrink only by being written anew (VACUUM).
    """

    free: int
    can_shrink: bool


@reading_script
def look() -> Script[FreeSpace]:
    """What there is in a SQLite file; servers have no such space."""
    [[pages]] = yield from rows("PRAGMA freelist_count")
    [[size]] = yield from rows("PRAGMA page_size")
    [[vacuum]] = yield from rows("PRAGMA auto_vacuum")
    return FreeSpace(free=pages * size, can_shrink=vacuum == _INCREMENTAL)


@reading
async def give_back() -> None:
    """Give back the next megabyte; whoever is killed meanwhile leaves the file as it was.

    Raises:
        DatabaseBusy, DatabaseUnusable: nothing was given back.
    """
    connection = get_connections().get("sqlite")
    await connection.execute_script(f"PRAGMA incremental_vacuum({_STEP})")  # pyright: ignore[reportUnknownMemberType]  # Tortoise's decorator loses it
