"""Messages received and not yet answered, each under the platform's own identity of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from enum import Enum

from tortoise.exceptions import IntegrityError
from tortoise.expressions import F

from storage import allowances, conversations, learning
from storage.allowances import Limit
from storage.conversations import Place
from storage.drivers.script import (
    Made,
    NothingChanged,
    Script,
    adding,
    at_once,
    made,
    needing,
    reading_script,
    script,
    select,
    together,
    whole,
)
from storage.drivers.transaction import reading, transaction
from storage.errors import StorageError
from storage.lease import milliseconds
from storage.models import Conversation, InboxMessage, InboxState, Turn, TurnState


@dataclass(frozen=True, slots=True, kw_only=True)
class NewMessage:
    """What a row of the inbox is made of; `position` orders messages as the platform does.

    `thread` is the address of the one that it stands in or opens, `quotes` what it refers to.
    """

    key: str
    conversation_id: int
    position: int
    author_id: str
    author: str
    text: str
    reply_to: str | None
    sent_at: datetime
    attachments: list[dict[str, object]] = field(default_factory=list[dict[str, object]])
    thread: str | None = None
    quotes: list[dict[str, str]] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A conversation as this process has seen it."""

    id: int
    agent_id: int
    address: str
    readers: str


class Changed(StorageError):
    """The conversation is not as it is known, so nothing was stored."""


async def add_first(
    received: NewMessage, now: datetime, limits: Sequence[Limit] = (), *, place: Place
) -> Conversation | None:
    """Open a conversation with its first message; None, and nothing done, if either is there.

    As `add`; the message's `conversation_id` will be that of the one that is opened.

    Raises:
        Removed: there is no such agent any more.
        UsedUp: it is one too many for one of these limits.
    """
    try:
        return await _add_first(received, now, limits, place)
    except IntegrityError:
        return None


@script
def _add_first(
    received: NewMessage, now: datetime, limits: Sequence[Limit], place: Place
) -> Script[Conversation]:
    new = yield from conversations.new(place, received.author, now)
    opened = {**new, "ready_at": milliseconds(now)}
    row_id, _ = yield from together(
        adding(Conversation, opened),
        adding(InboxMessage, {**_row(received, now), "conversation_id": Made(0)}),
    )
    yield from allowances.count(limits, min(received.sent_at, now))
    return made(Conversation, opened, row_id)


async def add(
    received: NewMessage,
    now: datetime,
    limits: Sequence[Limit] = (),
    *,
    where: Known | None = None,
) -> bool:
    """Store a message and make its conversation claimable; False if its key is known already.

    When this returns, the message survives whatever happens: now the platform may be told.
    `where` is its conversation, for whoever has not read that just now.

    Raises:
        Changed: the conversation is not like `where` any more, or was removed.
        UsedUp: it is one too many for one of these limits, and is not stored.
    """
    try:
        await (_add if limits else _add_at_once)(received, now, limits, where)
    except IntegrityError:
        return False
    except NothingChanged as error:
        raise Changed("the conversation is not as it was: store the message again") from error
    return True


_COLUMNS = [each.name for each in fields(NewMessage)]
_READY = "UPDATE conversation SET ready_at = COALESCE(ready_at, ?) WHERE id = ?"
_READY_AS_KNOWN = f"{_READY} AND agent_id = ? AND address = ? AND readers = ?"


def _added(
    received: NewMessage, now: datetime, limits: Sequence[Limit], where: Known | None
) -> Script[None]:
    # The conversation's row first: it orders this against a claim and a release.
    known = (where.agent_id, where.address, where.readers) if where else ()
    ready = _READY_AS_KNOWN if where else _READY
    yield from together(
        needing(ready, milliseconds(now), received.conversation_id, *known),
        adding(InboxMessage, _row(received, now)),
    )
    # After it, so that what comes twice is counted once; for when it was said, so that what was
    # missed is not too much all at once, nor what was too much answered when it is read again.
    yield from allowances.count(limits, min(received.sent_at, now))


_add, _add_at_once = script(_added), at_once(_added)


def _row(received: NewMessage, now: datetime) -> dict[str, object]:
    values = {name: getattr(received, name) for name in _COLUMNS}
    return {**values, "state": InboxState.WAITING, "received_at": now}


class Edit(Enum):
    """How far an edit or a deletion of a message came."""

    TOO_LATE = "it is answered or deleted, or was never received"
    UNCHANGED = "it says that already, as when a platform adds the preview of a link"
    WAITING = "nobody has begun to answer it"
    TAKEN = "it is being answered, and whoever does so has to read it again"


@transaction
async def change(key: str, text: str) -> Edit:
    """Let a message say something else, unless it is answered or deleted already."""
    if not (message := await _locked(key)):
        return Edit.TOO_LATE
    if not (message.text or message.attachments):  # it was deleted
        return Edit.TOO_LATE
    if message.text == text:
        return Edit.UNCHANGED
    edit = await _edited(message)
    if edit is not Edit.TOO_LATE:
        await InboxMessage.filter(id=message.id).update(text=text)
    return edit


@transaction
async def withdraw(key: str, now: datetime) -> Edit:
    """Let a message go unanswered, unless it is answered already.

    An answer to nothing else is asked to stop. What is answered stays in the history, but without
    words and files here: nothing is learned from it, and what was learned from it alone is gone.
    """
    if not (message := await _locked(key)):
        return Edit.TOO_LATE
    edit = await _edited(message)
    gone = InboxMessage.filter(id=message.id)
    if edit is Edit.WAITING:
        await gone.update(state=InboxState.WITHDRAWN, text="", attachments=[], quotes=None)
    elif edit is Edit.TAKEN:
        await gone.update(text="", attachments=[], quotes=None)
        # Locked, too: MariaDB would tell them as they were before it waited for the conversation.
        others = InboxMessage.filter(turn_id=message.turn_id).exclude(id=message.id)
        if not any(each.text or each.attachments for each in await others.select_for_update()):
            await Turn.filter(id=message.turn_id).update(stop_asked_at=now)
    elif message.state in (InboxState.ANSWERED, InboxState.FAILED):
        await gone.update(text="", attachments=[], quotes=None)
        await learning.drop_sources([key])
    return edit


async def _locked(key: str) -> InboxMessage | None:
    """The message as it is now, its conversation locked: nobody takes or ends it meanwhile."""
    message = await InboxMessage.get_or_none(key=key)
    if message is None:
        return None
    await Conversation.select_for_update().get(id=message.conversation_id)
    return await InboxMessage.select_for_update().get(key=key)


async def _edited(message: InboxMessage) -> Edit:
    """Whoever answers it notices by the number of edits, at the end at the latest."""
    if message.state is InboxState.WAITING:
        return Edit.WAITING
    if message.state is not InboxState.TAKEN:
        return Edit.TOO_LATE
    running = Turn.filter(id=message.turn_id, state=TurnState.RUNNING)
    return Edit.TAKEN if await running.update(edits=F("edits") + 1) else Edit.TOO_LATE


@reading_script
def by_key(key: str) -> Script[InboxMessage | None]:
    """The message with this key, if it was received."""
    found = yield from whole(InboxMessage, _BY_KEY, key)
    return found[0] if found else None


_BY_KEY = f'{select(InboxMessage)} WHERE "key" = ?'


@reading
async def of_turn(turn_id: int) -> list[InboxMessage]:
    """The messages that a turn answers, in the platform's order."""
    return await InboxMessage.filter(turn_id=turn_id).order_by("position", "id")


@reading
async def is_first(key: str) -> bool:
    """Whether no message was received before this one that is answered at the same place."""
    message = await InboxMessage.get(key=key)
    return not await InboxMessage.filter(
        conversation_id=message.conversation_id, reply_to=message.reply_to, id__lt=message.id
    ).exists()


@reading
async def unanswered_in(queue: str, limit: int) -> list[str]:
    """The keys of messages of a platform that are not answered yet, the oldest first."""
    busy = Conversation.filter(queue=queue, ready_at__not_isnull=True)
    found = InboxMessage.filter(
        conversation_id__in=await busy.values_list("id", flat=True),
        state__in=[InboxState.WAITING, InboxState.TAKEN],
    )
    keys = await found.order_by("position").limit(limit).values_list("key", flat=True)
    return [str(key) for key in keys]


@reading
async def count_waiting() -> int:
    """How many messages nobody has begun to answer: only conversations with work are looked at."""
    busy = await Conversation.filter(ready_at__not_isnull=True).values_list("id", flat=True)
    return await InboxMessage.filter(conversation_id__in=busy, state=InboxState.WAITING).count()


@reading
async def unanswered(conversation_id: int) -> list[InboxMessage]:
    """What still has to be answered, in the platform's order."""
    return await InboxMessage.filter(
        conversation_id=conversation_id, state__in=[InboxState.WAITING, InboxState.TAKEN]
    ).order_by("position", "id")
