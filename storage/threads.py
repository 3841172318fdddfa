"""Who was asked in a thread, and marks at positions there: a row of cursor holds the newest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from tortoise.exceptions import IntegrityError

from storage.drivers.script import Script, moment, reading_script, rows
from storage.drivers.transaction import reading, transaction
from storage.models import Cursor, InboxState

_MOST = 9  # marks: a cursor's position has room for so many
_ASKED_LAST = (
    'SELECT agent.name, inbox."position", inbox.sent_at FROM inbox'
    " JOIN conversation ON conversation.id = inbox.conversation_id"
    " JOIN agent ON agent.id = conversation.agent_id"
    ' WHERE inbox.thread = ? AND inbox."position" < ? AND inbox.state <> ?'
    ' ORDER BY inbox."position" DESC LIMIT 1'
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The agent that was asked, by the message at this position."""

    agent: str
    position: int
    sent_at: datetime


@reading_script
def asked_last(thread: str, *, before: int) -> Script[Asked | None]:
    """Of the messages in a thread before this position, the last that an agent was asked by."""
    found = yield from rows(_ASKED_LAST, thread, before, InboxState.WITHDRAWN)
    for name, position, sent_at in found:
        return Asked(agent=str(name), position=int(position), sent_at=moment(sent_at))
    return None


@reading
async def marks(names: Sequence[str]) -> list[int]:
    """The positions that are marked under these names, oldest first."""
    found = await Cursor.filter(name__in=list(names)).values_list("position", flat=True)
    return sorted(position for row in found for position in _read(str(row)))


def is_marked(position: int, known: Sequence[int]) -> bool:
    """Whether it is among these marks, or may have fallen out of them."""
    return position in known or (len(known) >= _MOST and position < known[0])


async def mark(name: str, position: int, now: datetime) -> bool:
    """Mark a position under a name; False if it is marked already."""
    try:
        return await _mark(name, position, now)
    except IntegrityError:  # the first one was made by another process meanwhile
        return await _mark(name, position, now)


@transaction
async def _mark(name: str, position: int, now: datetime) -> bool:
    cursor = await Cursor.select_for_update().get_or_none(name=name)
    if cursor is None:
        await Cursor.create(name=name, position=str(position), moved_at=now)
        return True
    known = _read(cursor.position)
    if is_marked(position, known):
        return False
    newest = sorted([*known, position])[-_MOST:]
    await Cursor.filter(id=cursor.id).update(position=" ".join(map(str, newest)), moved_at=now)
    return True


def _read(text: str) -> list[int]:
    return [int(each) for each in text.split()]
