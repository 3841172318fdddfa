"""Who works on a conversation until when, with the token that fences everybody else off."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from storage.drivers.script import Script, changed, select, whole
from storage.errors import LeaseLost
from storage.models import Conversation


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The right to write to one conversation, while nobody else has claimed it.

    `seconds` is how long it lasts after each write or renewal. `is_takeover`: whoever had it before
    never gave it back. `readers` is who can read what is said there, as it was when it was claimed.
    """

    conversation_id: int
    agent_id: int
    address: str
    opened_by: str
    token: int
    seconds: float
    is_takeover: bool = False
    readers: str = ""

    def expires(self, now: datetime) -> int:
        """When it lapses if it is renewed now, in ms since 1970."""
        return milliseconds(now) + int(self.seconds * 1000)


def milliseconds(moment: datetime) -> int:
    """A moment as the database orders it: ms since 1970."""
    return int(moment.timestamp() * 1000)


async def fence(lease: Lease, now: datetime) -> None:
    """Renew the lease, as the first statement of every write that needs it.

    The row stays locked to the end of the transaction.

    Raises:
        LeaseLost: somebody else has claimed the conversation since.
    """
    mine = Conversation.filter(id=lease.conversation_id, token=lease.token)
    if not await mine.update(ready_at=lease.expires(now)):
        raise lost(lease)


def held(lease: Lease) -> Script[Conversation]:
    """The conversation, first in a script that needs the lease and changes more than one row.

    The row stays locked to the end of the transaction. Nothing is written: whoever works renews
    the lease by itself, and each new version of the row would be one more entry of its index.

    Raises:
        LeaseLost: somebody else has claimed the conversation since.
    """
    found = yield from whole(Conversation, _HELD, lease.conversation_id, lease.token)
    if not found:
        raise lost(lease)
    return found[0]


def fenced(lease: Lease, statement: str, *values: object) -> Script[None]:
    """As `held`, in the statement itself, which changes one row.

    It ends by asking for the conversation's id and token.

    Raises:
        LeaseLost: somebody else has claimed the conversation since, so that it changed none.
    """
    if not (yield from changed(statement, *values, lease.conversation_id, lease.token)):
        raise lost(lease)


def leaving(due_but: str = "") -> str:
    """The statement that gives a conversation back, with all that keeps it there.

    `due_but` excepts what is being delivered. Its values: the conversation's id three times, and
    those of `due_but`.
    """
    return (
        "UPDATE conversation SET token = token + 1, owner = NULL, ready_at = NULL WHERE id = ?"  # noqa: S608  # text of ours
        " AND NOT EXISTS (SELECT id FROM inbox"
        " WHERE conversation_id = ? AND state IN ('waiting', 'taken'))"
        " AND NOT EXISTS (SELECT id FROM outbox"
        f" WHERE conversation_id = ? AND state = 'due'{due_but})"
    )


def left(lease: Lease) -> Script[bool]:
    """Give the conversation back if nothing waits in it; returns whether it was given back.

    The caller has locked its row, so that nothing is added meanwhile. If this statement had to
    wait for the lock, it would not see what was added while it waited.
    """
    where = lease.conversation_id
    return bool((yield from changed(_LEAVE, where, where, where)))


def lost(lease: Lease) -> LeaseLost:
    """What is raised where somebody else has claimed the conversation since."""
    return LeaseLost(f"conversation {lease.conversation_id} is worked on by another process")


_LEAVE = leaving()
_HELD = f"{select(Conversation)} WHERE id = ? AND token = ? FOR UPDATE"
IF_HELD = " AND EXISTS (SELECT id FROM conversation WHERE id = ? AND token = ? FOR UPDATE)"
