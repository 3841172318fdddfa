"""What an agent's model calls have cost, and what those under way may cost at most."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from tortoise.exceptions import IntegrityError
from tortoise.functions import Sum

from storage.drivers.script import (
    Script,
    Statement,
    adding,
    changing,
    rows,
    script,
    together,
)
from storage.drivers.transaction import reading, transaction
from storage.models import Agent, Reservation, Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What one model call used; nano_usd is in 1e-9 US dollars, None where no price is known.

    `is_reserved`: its turn has a reservation for it, which ends when the call is recorded.
    `purpose` is what for: "answer", or "compaction" after it.
    """

    model: str
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    nano_usd: int | None
    is_reserved: bool = False
    written_tokens: int = 0
    purpose: str = "answer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """Whose model call it is: the number of its step, or one below zero if it left none."""

    turn_id: int
    agent_id: int
    step: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a turn wants to reserve for its agent, in 1e-9 US dollars; it ends at `ends_at`."""

    turn_id: int
    agent_id: int
    nano_usd: int
    ends_at: datetime


class Room(Enum):
    """Whether a reservation fits below the limit."""

    MADE = "it fits"
    LATER = "it fits when others are settled for less"
    NONE = "it does not fit, even alone"


@transaction
async def reserve(wanted: Wanted, *, limit: int, since: datetime, now: datetime) -> Room:
    """Reserve it if it fits with the agent's cost `since` then and with all that is reserved.

    It takes the place of what the turn had reserved, as by a process that died. Whoever reserves
    for the same agent waits meanwhile; whoever settles does not: what is reserved is read before
    what was spent, so that a call that is settled between the two counts twice, never not at all.
    """
    await Agent.filter(id=wanted.agent_id).select_for_update().only("id")
    rows = await Reservation.filter(agent_id=wanted.agent_id)
    others = [row for row in rows if row.turn_id != wanted.turn_id and row.ends_at > now]
    if len(others) < len(rows):
        over = {row.id for row in rows} - {row.id for row in others}
        await Reservation.filter(id__in=over).delete()
    spent = await _nano_usd_since(wanted.agent_id, since) + wanted.nano_usd
    if spent > limit:
        return Room.NONE
    if spent + sum(row.nano_usd for row in others) > limit:
        return Room.LATER
    await Reservation.create(
        turn_id=wanted.turn_id,
        agent_id=wanted.agent_id,
        nano_usd=wanted.nano_usd,
        ends_at=wanted.ends_at,
    )
    return Room.MADE


_USED = (
    *("model", "input_tokens", "cached_tokens", "written_tokens", "output_tokens"),
    *("nano_usd", "purpose"),
)
_RECORDED = 'SELECT id FROM "usage" WHERE turn_id = ? AND step = ?'
_SETTLED = "DELETE FROM reservation WHERE turn_id = ?"


def add(spent: Spent, call: Call, at: datetime) -> list[Statement]:
    """Keep what a call has cost, inside of the caller's script; its reservation ends."""
    used = {name: getattr(spent, name) for name in _USED}
    whose = {"turn_id": call.turn_id, "step": call.step, "agent_id": call.agent_id}
    added = adding(Usage, {**whose, **used, "at": at})
    return [added, changing(_SETTLED, call.turn_id)] if spent.is_reserved else [added]


async def add_cut(
    spent: Spent, call: Call, at: datetime, *, unless_step: int | None = None
) -> None:
    """As `add`, for a call that left no step; once, however often it is tried.

    With `unless_step` it may have left this one all the same, and is recorded then. No fence: the
    money is gone, whoever has the conversation now.
    """
    with suppress(IntegrityError):
        await _add_cut(spent, call, at, unless_step)


@script
def _add_cut(spent: Spent, call: Call, at: datetime, unless_step: int | None) -> Script[None]:
    if unless_step and (yield from rows(_RECORDED, call.turn_id, unless_step)):
        return
    yield from together(*add(spent, call, at))


@transaction
async def release(turn_id: int) -> None:
    """End the reservation of a call that cost nothing."""
    await Reservation.filter(turn_id=turn_id).delete()


@reading
async def nano_usd_since(*, agent_id: int, since: datetime) -> int:
    """The known cost of an agent's calls since then, in 1e-9 US dollars."""
    return await _nano_usd_since(agent_id, since)


async def _nano_usd_since(agent_id: int, since: datetime) -> int:
    rows = (
        await Usage.filter(agent_id=agent_id, at__gte=since)
        .annotate(total=Sum("nano_usd"))
        .values("total")
    )
    return int(rows[0]["total"] or 0)
