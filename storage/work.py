"""What waits to be answered in a conversation, and what of it one turn answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from storage.drivers.internals import as_read
from storage.drivers.script import Script, rows, select
from storage.drivers.session import Row
from storage.models import InboxMessage, InboxState

_TOGETHER = 50  # messages of one person that are answered in one turn, at most
_FILE = 3_500  # bytes that a file counts as: an image costs about a thousand tokens
_FRAME = 16  # bytes that a message takes besides its text and its author's name
_HAS_DUE = (
    "EXISTS (SELECT id FROM outbox"
    " WHERE outbox.conversation_id = inbox.conversation_id AND outbox.state = 'due')"
)
_IS_SHARED = (
    "EXISTS (SELECT other.id FROM conversation AS own JOIN conversation AS other"
    " ON other.address = own.address AND other.id <> own.id WHERE own.id = inbox.conversation_id)"
)
# In the order of the index: what a running turn has taken comes first.
ORDER = "state, position, id"


def of_conversation(*more: str) -> str:
    """The statement that reads what a conversation has to answer, and `more` of each message."""
    return (
        f"{select(InboxMessage, _HAS_DUE, _IS_SHARED, *more)}"
        " WHERE conversation_id = ? AND state IN ('taken', 'waiting')"
        f" ORDER BY {ORDER} LIMIT {_TOGETHER}"
    )


_WORK = of_conversation()


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What is to be answered: by the turn that has taken it already, or by a new one.

    `has_due`: something has to be delivered first. `is_shared`: other agents have conversations at
    the same address.
    """

    messages: list[InboxMessage]
    has_due: bool = False
    is_shared: bool = False

    @property
    def is_taken(self) -> bool:
        """Whether a turn was interrupted; it is the newest, and ends before the next is opened."""
        return bool(self.messages) and self.messages[0].state is InboxState.TAKEN


def work_in(conversation_id: int) -> Script[Work]:
    """What is to be answered in this conversation."""
    return work_of((yield from rows(_WORK, conversation_id)))


def work_of(found: Sequence[Row]) -> Work:
    """What these rows of it tell."""
    if not found:
        return Work(messages=[])
    *_, has_due, is_shared = found[0]
    messages = [as_read(InboxMessage, row[:-2]) for row in found]
    return Work(messages=messages, has_due=bool(has_due), is_shared=bool(is_shared))


def still_asked(taken: list[InboxMessage]) -> list[InboxMessage]:
    """Without those that were deleted meanwhile; all of them, if there is no other."""
    return [each for each in taken if each.text or each.attachments] or taken


def batch_of(waiting: Sequence[InboxMessage], room: int) -> list[InboxMessage]:
    """The first one, and those after it that are answered with it: at most `room` bytes.

    They are of one person, in a row, at one place.
    """
    first, *others = waiting
    together, room = [first], room - _length(first)
    for message in others:
        room -= _length(message)
        if room < 0 or _origin(message) != _origin(first):
            break
        together.append(message)
    return together


def _origin(message: InboxMessage) -> tuple[str, str]:
    """Who wrote it, and where its answer stands, be that as a reply to this or another message."""
    return message.author_id, (message.reply_to or "").partition("/")[0]


def _length(message: InboxMessage) -> int:
    said = [message.text, message.author, *(quote["text"] for quote in message.quotes or ())]
    words = sum(len(each.encode()) for each in said)
    return words + _FRAME + _FILE * len(message.attachments)
