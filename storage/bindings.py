"""Which agent answers at an address, as people have chosen it in chat."""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import NamedTuple

from tortoise.exceptions import IntegrityError
from tortoise.expressions import Q

from storage.drivers.script import Script, reading_script, rows, select, whole
from storage.drivers.transaction import reading, transaction
from storage.models import Binding, Cursor

_CHANGED = "bindings"  # a row of cursor: what stands there is another one after each change
_VERSION = (
    'SELECT (SELECT "position" FROM "cursor" WHERE name = ?), COUNT(*), MAX(made_at) FROM binding'
)
_ALL = select(Binding)


class Version(NamedTuple):
    """Of all bindings: what their row says, how many there are, and when the newest was made."""

    changed: str | None
    number: int
    newest: object


async def bind(
    *, at: str, agent: str, listen: str, conversation: str, made_by: str, now: datetime
) -> None:
    """Let this agent answer at the address and below it."""
    try:
        await _bind(at, agent, listen, conversation, made_by, now)
    except IntegrityError:  # another process made the first one meanwhile
        await _bind(at, agent, listen, conversation, made_by, now)


@transaction
async def _bind(
    at: str, agent: str, listen: str, conversation: str, made_by: str, now: datetime
) -> None:
    await Binding.update_or_create(  # pyright: ignore[reportUnknownMemberType]  # Tortoise says dict, not of what
        at=at,
        defaults={
            "agent": agent,
            "listen": listen,
            "conversation": conversation,
            "made_by": made_by,
            "made_at": now,
        },
    )
    changed = secrets.token_hex(8)
    if not await Cursor.filter(name=_CHANGED).update(position=changed, moved_at=now):
        await Cursor.create(name=_CHANGED, position=changed, moved_at=now)


@reading_script
def version() -> Script[Version]:
    """Another one whenever a binding was made, changed or deleted.

    A version before this one changes nothing but the bindings: their number and the time of the
    newest one tell.
    """
    [found] = yield from rows(_VERSION, _CHANGED)
    return Version(*found)


@reading_script
def everywhere() -> Script[list[Binding]]:
    """All bindings."""
    return (yield from whole(Binding, _ALL))


@reading
async def among(paths: tuple[str, ...]) -> list[Binding]:
    """The bindings at any of these paths."""
    return await Binding.filter(at__in=list(paths))


@reading
async def below(path: str) -> list[Binding]:
    """The bindings at this path and below it, in the order of their addresses."""
    return await Binding.filter(Q(at=path) | Q(at__startswith=f"{path}/")).order_by("at")
