"""Conversations: opened once, claimed by one process at a time, handed over, given back."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from tortoise.exceptions import IntegrityError
from tortoise.expressions import F, Q

from storage.drivers.script import Script, changed, reading_script, script, select, whole
from storage.drivers.transaction import reading, transaction, write_first
from storage.lease import Lease, fence, held, left, milliseconds
from storage.models import (
    Conversation,
    InboxMessage,
    InboxState,
    OutboxMessage,
    OutboxState,
)

_FIND = f"{select(Conversation)} WHERE agent_id = ? AND address = ?"
_READY = f"{select(Conversation)} WHERE id = ? AND ready_at <= ? FOR UPDATE SKIP LOCKED"
_CLAIM = "UPDATE conversation SET token = token + 1, owner = ?, ready_at = ? WHERE id = ?"


async def find_or_open(
    *, agent_id: int, address: str, queue: str, author: str, now: datetime, readers: str = ""
) -> Conversation:
    """The one conversation of this agent at this address; `readers` is kept if it is opened."""
    if conversation := await find(agent_id=agent_id, address=address):
        return conversation
    try:
        return await _open(agent_id, address, queue, author, readers, now)
    except IntegrityError:  # opened by somebody else meanwhile
        return await _by_address(agent_id, address)


@write_first
async def _open(
    agent_id: int, address: str, queue: str, author: str, readers: str, now: datetime
) -> Conversation:
    return await Conversation.create(
        agent_id=agent_id,
        address=address,
        queue=queue,
        opened_by=author,
        readers=readers,
        created_at=now,
    )


@reading
async def _by_address(agent_id: int, address: str) -> Conversation:
    return await Conversation.get(agent_id=agent_id, address=address)


@reading_script
def find(*, agent_id: int, address: str) -> Script[Conversation | None]:
    """The conversation of this agent at this address, if it was ever opened."""
    found = yield from whole(Conversation, _FIND, agent_id, address)
    return found[0] if found else None


@write_first
async def show_to(readers: str, *, conversation_id: int) -> None:
    """Keep who can read what is said there."""
    await Conversation.filter(id=conversation_id).update(readers=readers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Apart:
    """What is not claimed: what lies at or below these addresses, and what is of these agents."""

    addresses: Sequence[str] = ()
    agents: Collection[int] = ()


_NOTHING = Apart()


async def claim(
    *,
    queues: Sequence[str],
    owner: str,
    now: datetime,
    seconds: float,
    limit: int,
    apart_from: Apart = _NOTHING,
) -> list[Lease]:
    """Lease up to `limit` conversations of these queues that have work, longest waiting first.

    Takeover is the same statement: a lease that lapsed is a conversation whose time has come.
    """
    apart = [_inside(path) for path in apart_from.addresses]
    if apart_from.agents:
        apart.append(Q(agent_id__in=list(apart_from.agents)))
    left_out = Q(*apart, join_type=Q.OR)
    return await _claim(Q(~left_out, queue__in=list(queues)), owner, now, seconds, limit)


@script
def claim_one(
    *, conversation_id: int, owner: str, now: datetime, seconds: float
) -> Script[Lease | None]:
    """Lease this conversation if it has work and nobody else holds it."""
    found = yield from whole(Conversation, _READY, conversation_id, milliseconds(now))
    if not found:
        return None
    lease = _leased(found[0], owner, seconds)
    yield from changed(_CLAIM, owner, lease.expires(now), conversation_id)
    return lease


@transaction
async def _claim(which: Q, owner: str, now: datetime, seconds: float, limit: int) -> list[Lease]:
    rows = (
        await Conversation.filter(which, ready_at__lte=milliseconds(now))
        .order_by("ready_at")
        .limit(limit)
        .select_for_update(skip_locked=True)
    )
    leases = [_leased(row, owner, seconds) for row in rows]
    if leases:
        await Conversation.filter(id__in=[row.id for row in rows]).update(
            token=F("token") + 1, owner=owner, ready_at=leases[0].expires(now)
        )
    return leases


def _leased(row: Conversation, owner: str, seconds: float) -> Lease:
    return Lease(
        conversation_id=row.id,
        agent_id=row.agent_id,
        address=row.address,
        opened_by=row.opened_by,
        token=row.token + 1,
        seconds=seconds,
        is_takeover=row.owner not in (None, owner),  # whoever claims has not died
        readers=row.readers,
    )


@write_first
async def keep(lease: Lease, now: datetime) -> None:
    """Renew the lease.

    Raises:
        LeaseLost: somebody else has claimed the conversation since.
    """
    await fence(lease, now)


@script
def leave_if_idle(lease: Lease) -> Script[bool]:
    """Give the conversation back if nothing waits in it; else False, and the lease stays.

    Raises:
        LeaseLost: somebody else has claimed the conversation since.
    """
    yield from held(lease)
    return (yield from left(lease))


@write_first
async def release(lease: Lease, now: datetime, *, not_before: datetime | None = None) -> None:
    """Give the conversation back: idle, or claimable at once (or at `not_before`) if work waits.

    Raises:
        LeaseLost: somebody else has claimed the conversation since.
    """
    await fence(lease, now)
    has_work = await _has_work(lease.conversation_id)
    await _give_back(lease, milliseconds(not_before or now) if has_work else None)


async def _give_back(lease: Lease, ready_at: int | None) -> None:
    await Conversation.filter(id=lease.conversation_id).update(
        token=F("token") + 1, owner=None, ready_at=ready_at
    )


@write_first
async def release_all(owners: Sequence[str], now: datetime) -> int:
    """Give back everything that these owners have leased; returns how many."""
    return await Conversation.filter(owner__in=list(owners)).update(
        token=F("token") + 1, owner=None, ready_at=milliseconds(now)
    )


@write_first
async def take_from(owners: Sequence[str], now: datetime) -> int:
    """Make everything that these dead owners had leased claimable at once; returns how many.

    It stays theirs, so that whoever claims it knows that it was left.
    """
    return await Conversation.filter(owner__in=list(owners)).update(
        token=F("token") + 1, ready_at=milliseconds(now)
    )


def _inside(path: str) -> Q:
    return Q(address=path) | Q(address__startswith=f"{path}/")


async def _has_work(conversation_id: int) -> bool:
    """Whether something waits. The row is locked, so nothing can be added meanwhile."""
    return (
        await InboxMessage.filter(
            conversation_id=conversation_id, state__in=[InboxState.WAITING, InboxState.TAKEN]
        ).exists()
        or await OutboxMessage.filter(
            conversation_id=conversation_id, state=OutboxState.DUE
        ).exists()
    )


@reading
async def everything() -> list[Conversation]:
    """Every conversation that was ever opened, oldest first."""
    return await Conversation.all().order_by("id")


@reading
async def by_id(conversation_id: int) -> Conversation:
    """The conversation with this id."""
    return await Conversation.get(id=conversation_id)
