"""Says that the room for a database file runs short, before it has."""

from __future__ import annotations

from humanize import naturalsize

from storage.sizes import Space


def why_short(space: Space) -> list[str]:
    """One sentence for each reason; none where there is room enough."""
    size, free, limit = map(naturalsize, (space.size, space.free, space.limit))
    reasons: list[str] = []
    if space.is_disk_short:
        reasons.append(
            f"The disk of {space.file} has {free} left: a migration or VACUUM may need as much as "
            f"the file has ({size}). Make room, or move the file to a larger disk."
        )
    if space.is_limit_near:
        reasons.append(
            f"{space.file} has {size} of the {limit} that a file may have here: raise the limit "
            "(ulimit -f), set MOORINGS_RETENTION_DAYS, or move to PostgreSQL."
        )
    return reasons
