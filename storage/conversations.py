"""Conversations: opened once, found when they have work, kept, given back."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from tortoise.exceptions import IntegrityError
from tortoise.expressions import F

from storage import passages
from storage.drivers.script import (
    Script,
    adding,
    made,
    marks,
    reading_script,
    rows,
    script,
    select,
    together,
    whole,
)
from storage.drivers.transaction import reading, write_first
from storage.errors import StorageError
from storage.lease import Lease, fence, held, left, milliseconds
from storage.models import (
    Conversation,
    InboxMessage,
    InboxState,
    OutboxMessage,
    OutboxState,
)

_FIND = f"{select(Conversation)} WHERE agent_id = ? AND address = ?"
_AGENT = "SELECT id FROM agent WHERE id = ? FOR UPDATE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a conversation is opened, and for whom; `queue` is the platform that answers in it."""

    agent_id: int
    address: str
    queue: str
    readers: str = ""


async def find_or_open(
    *, agent_id: int, address: str, queue: str, author: str, now: datetime, readers: str = ""
) -> Conversation:
    """The one conversation of this agent at this address; `readers` is kept if it is opened.

    Raises:
        Removed: there is no such agent any more.
    """
    if conversation := await find(agent_id=agent_id, address=address):
        return conversation
    place = Place(agent_id=agent_id, address=address, queue=queue, readers=readers)
    try:
        return await _open(place, author, now)
    except IntegrityError:  # opened by somebody else meanwhile
        return await _by_address(agent_id, address)


class Removed(StorageError):
    """The agent was removed meanwhile; whoever looks for one again finds none."""


@script
def _open(place: Place, author: str, now: datetime) -> Script[Conversation]:
    values = yield from new(place, author, now)
    (row_id,) = yield from together(adding(Conversation, values))
    return made(Conversation, values, row_id)


def new(place: Place, author: str, now: datetime) -> Script[dict[str, object]]:
    """What the row of one is made of that nobody has opened; raises Removed as `find_or_open`."""
    # Its row is locked against `agents.remove`, which would not see what is opened meanwhile.
    if not (yield from rows(_AGENT, place.agent_id)):
        raise Removed(f"the agent that was to answer at {place.address} has been removed")
    return {
        **asdict(place),
        "opened_by": author,
        "last_seq": 0,
        "last_turn": 0,
        "token": 0,
        "created_at": now,
    }


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
    """Keep who can read what is said there; what was said is to be found among these only."""
    await Conversation.filter(id=conversation_id).update(readers=readers)
    await passages.make_anew(conversation_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Apart:
    """What is left out: what lies at or below these addresses, and what is of these agents."""

    addresses: Sequence[str] = ()
    agents: Collection[int] = ()


_NOTHING = Apart()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """A conversation that can be claimed."""

    id: int
    agent_id: int
    address: str


_OF_QUEUE = (
    "SELECT id, agent_id, address, ready_at FROM conversation WHERE queue = ? AND ready_at <= ?"
)
_OLDEST_FIRST = " ORDER BY ready_at LIMIT ?"
_OUTSIDE = " AND address <> ? AND substr(address, 1, ?) <> ?"


@reading_script
def all_ready(
    *, queues: Sequence[str], now: datetime, limit: int, apart_from: Apart = _NOTHING
) -> Script[list[Ready]]:
    """Up to `limit` conversations of these queues that have work, longest waiting first.

    Nothing is locked: others may claim them meanwhile. Each queue is read by itself, in the order
    of the index: of very many that wait, few are looked at.
    """
    text, apart = _OF_QUEUE, list[object]()
    queues = list(dict.fromkeys(queues))
    if not queues:
        return []
    if agents := apart_from.agents:
        text += f" AND agent_id NOT IN ({marks(len(agents))})"
        apart += agents
    for path in apart_from.addresses:
        text += _OUTSIDE
        apart += (path, len(path) + 1, f"{path}/")
    each = [f"SELECT * FROM ({text}{_OLDEST_FIRST}) AS queue_{at}" for at in range(len(queues))]  # noqa: S608  # text of ours
    values = [value for queue in queues for value in (queue, milliseconds(now), *apart, limit)]
    found = yield from rows(f"{' UNION ALL '.join(each)}{_OLDEST_FIRST}", *values, limit)
    return [Ready(id=row[0], agent_id=row[1], address=row[2]) for row in found]


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
