"""How often somebody did what has a limit: counted in the transaction that stores it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from storage.drivers.script import IF_NEW, Script, changed, insert, script, select, whole
from storage.drivers.transaction import transaction
from storage.errors import StorageError
from storage.lease import milliseconds
from storage.models import Allowance


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """`whom` may do it `most` times in any `seconds` in a row."""

    whom: str
    most: int
    seconds: int


class UsedUp(StorageError):
    """They have done it as often as they may; at `again_at` they may once more."""

    def __init__(self, limit: Limit, again_at: datetime) -> None:
        super().__init__(f"{limit.whom} has used up {limit.most} in {limit.seconds} seconds")
        self.limit = limit
        self.again_at = again_at


def count(limits: Sequence[Limit], at: datetime) -> Script[None]:
    """Count one use at the moment `at` for each limit, inside of the caller's transaction.

    Whoever counts the same waits meanwhile. `at` may lie before uses that were counted already,
    as when missed messages are read.

    Raises:
        UsedUp: one of them may not; the transaction has to be given up.
    """
    for limit in sorted(limits, key=lambda each: each.whom):  # in one order: no deadlocks
        yield from _count(limit, at)


@script
def use(limit: Limit, now: datetime) -> Script[bool]:
    """Count one use now; False, and nothing is counted, if it is one too many."""
    try:
        yield from _count(limit, now)
    except UsedUp:
        return False
    return True


@transaction
async def drop_idle(now: datetime) -> int:
    """Delete rows in which no use counts any more; returns how many."""
    return await Allowance.filter(idle_at__lt=now).delete()


def _count(limit: Limit, at: datetime) -> Script[None]:
    moment, span = milliseconds(at), limit.seconds * 1_000
    known = yield from _uses(limit, at)
    recent = [use for use in known if use > moment - span]
    uses = sorted([*recent, moment])
    full = [
        first
        for first, one_too_many in zip(uses, uses[limit.most :], strict=False)
        if one_too_many < first + span
    ]
    if full:
        raise UsedUp(limit, _moment(full[-1] + span))
    yield from changed(_COUNTED, uses, _moment(uses[-1] + span), limit.whom)


def _moment(since_1970: int) -> datetime:
    return datetime.fromtimestamp(since_1970 / 1_000, UTC)


def _uses(limit: Limit, at: datetime) -> Script[list[int]]:
    """What is known of them, locked."""
    known = yield from whole(Allowance, _KNOWN, limit.whom)
    if not known:  # made by two at once, it is made once
        yield from changed(_MADE, limit.whom, list[int](), at)
        known = yield from whole(Allowance, _KNOWN, limit.whom)
    return known[0].uses


_KNOWN = f"{select(Allowance)} WHERE whom = ? FOR UPDATE"
_MADE = insert(Allowance, ("whom", "uses", "idle_at")) + IF_NEW
_COUNTED = "UPDATE allowance SET uses = ?, idle_at = ? WHERE whom = ?"
