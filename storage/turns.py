"""Turns: ended in one transaction, or handed over; what came up meanwhile, what was answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from tortoise.expressions import F

from storage import passages, steps
from storage.claims import OpenTurn
from storage.drivers.script import (
    NothingChanged,
    Script,
    Statement,
    at_once,
    changed,
    changing,
    insert,
    needing,
    reading_script,
    rows,
    script,
    together,
)
from storage.drivers.transaction import reading, transaction, write_first
from storage.errors import StorageError
from storage.lease import Lease, fence, held, lost, milliseconds
from storage.models import (
    Conversation,
    Feedback,
    InboxState,
    Message,
    MessageRole,
    OutboxMessage,
    OutboxState,
    Turn,
    TurnState,
)
from storage.outbox import due_now, new_key
from storage.passages import Indexed
from storage.steps import FinishedStep


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One message to be added to the history."""

    role: MessageRole
    author: str
    text: str
    tokens: int
    said_at: datetime


@write_first
async def try_alone(lease: Lease, turn_id: int, now: datetime) -> None:
    """Count an attempt that begins now, alone in its process: whoever ends by it cannot tell.

    Raises:
        LeaseLost: somebody else has claimed the conversation since.
    """
    await fence(lease, now)
    await Turn.filter(id=turn_id).update(lone_tries=F("lone_tries") + 1)


@write_first
async def take_back(turn_id: int) -> None:
    """Take back a try alone that ended no process, without a lease: somebody else may have it.

    Done twice, it lets the turn be tried once more before it is given up.
    """
    await _take_back(turn_id)


@reading
async def lone_tries(turn_id: int) -> int:
    """How many of its tries alone count by now; 0 of a turn that is gone."""
    turn = await Turn.get_or_none(id=turn_id)
    return turn.lone_tries if turn else 0


async def _take_back(turn_id: int) -> None:
    running = Turn.filter(id=turn_id, state=TurnState.RUNNING, lone_tries__gt=0)
    await running.update(lone_tries=F("lone_tries") - 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a turn ends: what is added to the history, and the visible messages in order, if any.

    `intends`: the first of them is about to be posted, and may be there from now on; `message_id`
    is the platform's id of it, where that is known. `step` is its last one, if it is not journalled
    yet. `passages` are those under which the entries can be found again. With `edits` it ends only
    if its questions were edited so often and not once more.
    """

    state: TurnState
    entries: Sequence[Entry]
    parts: Sequence[str]
    failure: str | None = None
    intends: bool = False
    message_id: str | None = None
    step: FinishedStep | None = None
    edits: int | None = None
    passages: Sequence[Indexed] = ()


class QuestionsEdited(StorageError):
    """What the turn answers was edited meanwhile; it goes on, with what is asked now."""


_LAST_SEQ = "UPDATE conversation SET last_seq = ? WHERE id = ? AND token = ? AND last_seq = ?"
_LAST_SEQ_AS_READ = f"{_LAST_SEQ} AND readers = ?"
_END = (
    "UPDATE turn SET state = ?, failure = ?, ended_at = ?"
    " WHERE id = ? AND state = 'running' AND edits = COALESCE(?, edits)"
)
_RUNS = "SELECT id FROM turn WHERE id = ? AND state = 'running'"
_ANSWERED = "UPDATE inbox SET state = ? WHERE turn_id = ?"
_ENTRY = ("conversation_id", "seq", "role", "author", "text", "tokens", "turn_id", "said_at")
_DUE = (
    "UPDATE outbox SET text = ?, state = 'due', attempts = attempts + ?,"
    " tried_at = COALESCE(?, tried_at) WHERE id = ?"
)
_PART = ("key", "conversation_id", "turn_id", "part", "state", "text", "reply_to", "attempts")


async def end(
    lease: Lease, opened: OpenTurn, ending: Ending, now: datetime
) -> list[OutboxMessage] | None:
    """End the turn: last step, history, turn, answered messages, and what is to be delivered.

    All of it, or nothing: a turn that has ended already stays as it is. Returns what it has to
    deliver, None where that is not known without reading it.

    Raises:
        LeaseLost: somebody else has claimed the conversation since.
        QuestionsEdited: it has not ended.
    """
    try:
        await _end_at_once(lease, opened, ending, now)
    except NothingChanged:
        return await _end(lease, opened, ending, now)
    return _known_as_due(opened.draft, ending, now)


@at_once
def _end_at_once(
    lease: Lease, opened: OpenTurn, ending: Ending, now: datetime
) -> Script[list[int]]:
    """As `end`, where everything is as it was when the turn was opened."""
    return (
        yield from together(
            needing(_LAST_SEQ_AS_READ, *_moved(lease, opened, ending), lease.readers),
            needing(_END, *_ended(opened, ending, now)),
            *_all_else(lease, opened, ending, now, found=ending.passages),
        )
    )


@script
def _end(
    lease: Lease, opened: OpenTurn, ending: Ending, now: datetime
) -> Script[list[OutboxMessage] | None]:
    found, moved, turn_id = ending.passages, _moved(lease, opened, ending), opened.turn.id
    is_moved, is_ended = yield from together(
        changing(_LAST_SEQ_AS_READ, *moved, lease.readers),
        changing(_END, *_ended(opened, ending, now)),
    )
    if not is_moved:
        yield from held(lease)
        found = ()  # others can read there now: it is indexed for them afterwards
    if not is_ended:
        if (yield from rows(_RUNS, turn_id)):
            raise QuestionsEdited(f"what turn {turn_id} answers was edited meanwhile")
        return None
    if not (is_moved or (yield from changed(_LAST_SEQ, *moved))):
        raise lost(lease)
    yield from together(*_all_else(lease, opened, ending, now, found=found))
    return _known_as_due(opened.draft, ending, now)


def _moved(lease: Lease, opened: OpenTurn, ending: Ending) -> tuple[int, ...]:
    """The values of _LAST_SEQ."""
    last_seq = opened.last_seq + len(ending.entries)
    return last_seq, lease.conversation_id, lease.token, opened.last_seq


def _ended(opened: OpenTurn, ending: Ending, now: datetime) -> tuple[object, ...]:
    """The values of _END."""
    return ending.state, ending.failure, now, opened.turn.id, ending.edits


def _all_else(
    lease: Lease, opened: OpenTurn, ending: Ending, now: datetime, *, found: Sequence[Indexed]
) -> list[Statement]:
    answered = InboxState.FAILED if ending.state is TurnState.FAILED else InboxState.ANSWERED
    return [
        *steps.last(lease, ending.step, now),
        changing(_ANSWERED, answered, opened.turn.id),
        *_history(opened, ending.entries),
        *passages.add(lease.conversation_id, opened.turn.id, found),
        *_due(opened.draft, ending, now),
    ]


def _history(opened: OpenTurn, entries: Sequence[Entry]) -> list[Statement]:
    turn, values = opened.turn, list[object]()
    for seq, entry in enumerate(entries, start=opened.last_seq + 1):
        said = (entry.role, entry.author, entry.text, entry.tokens)
        values += (turn.conversation_id, seq, *said, turn.id, entry.said_at)
    return [changing(insert(Message, _ENTRY, len(entries)), *values)] if values else []


def _due(draft: OutboxMessage, ending: Ending, now: datetime) -> list[Statement]:
    if not ending.parts:  # nobody asks any more, and nothing was shown
        return []
    first, *others = ending.parts
    intended_at = now if ending.intends else None
    statements = [changing(_DUE, first, int(ending.intends), intended_at, draft.id)]
    values: list[object] = []
    for part, text in enumerate(others, start=2):
        whose = (draft.conversation_id, draft.turn_id, part)
        values += (new_key(), *whose, OutboxState.DUE, text, draft.reply_to, 0)
    if values:
        statements.append(changing(insert(OutboxMessage, _PART, len(others)), *values))
    return statements


def _known_as_due(
    draft: OutboxMessage, ending: Ending, now: datetime
) -> list[OutboxMessage] | None:
    if not ending.parts:
        return []
    is_known = (ending.intends or ending.message_id) and len(ending.parts) == 1
    intended_at = now if ending.intends else None
    return [due_now(draft, ending.parts[0], ending.message_id, intended_at)] if is_known else None


@write_first
async def hand_over(
    lease: Lease,
    now: datetime,
    *,
    opened: OpenTurn | None = None,
    is_tried_alone: bool = False,
    has_failed: bool = False,
    not_before: datetime | None = None,
) -> None:
    """Give an unfinished conversation to whoever claims it next, at once or at `not_before`.

    `is_tried_alone`: so is the turn that was `opened`, and the try is taken back, since it ended no
    process. The attempt counts if it `has_failed` by itself.

    Raises:
        LeaseLost: somebody else has claimed the conversation since.
    """
    await fence(lease, now)
    if opened:
        if is_tried_alone:
            await _take_back(opened.turn.id)
        if has_failed:
            running = Turn.filter(id=opened.turn.id, state=TurnState.RUNNING)
            await running.update(attempts=F("attempts") + 1)
    await Conversation.filter(id=lease.conversation_id).update(
        token=F("token") + 1, owner=None, ready_at=milliseconds(not_before or now)
    )


@transaction
async def ask_to_stop(turn_id: int, now: datetime) -> bool:
    """Ask whoever runs the turn to stop it; False if it is not running any more."""
    return bool(await Turn.filter(id=turn_id, state=TurnState.RUNNING).update(stop_asked_at=now))


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """What has come up since a turn was opened, and whether more waits in its conversation."""

    is_stop_asked: bool
    edits: int
    has_waiting: bool


_NEWS = (
    "SELECT CASE WHEN stop_asked_at IS NULL THEN 0 ELSE 1 END, edits, (SELECT COUNT(*) FROM inbox"
    " WHERE inbox.conversation_id = turn.conversation_id AND inbox.state = 'waiting')"
    " FROM turn WHERE id = ?"
)


@reading_script
def news(turn_id: int) -> Script[News]:
    """What has come up since the turn was opened."""
    ((is_stop_asked, edits, waiting),) = yield from rows(_NEWS, turn_id)
    return News(is_stop_asked=bool(is_stop_asked), edits=edits, has_waiting=waiting > 0)


@reading
async def by_outbox_key(key: str) -> Turn | None:
    """The turn whose answer, or a part of it, was given this key."""
    row = await OutboxMessage.get_or_none(key=key)
    return await Turn.get_or_none(id=row.turn_id) if row else None


@transaction
async def judge(turn_id: int, *, person: str, is_good: bool, now: datetime) -> None:
    """Store what a person thinks of the answer, in place of what they thought before."""
    await Feedback.update_or_create(  # pyright: ignore[reportUnknownMemberType]  # Tortoise says dict, not of what
        turn_id=turn_id, person=person, defaults={"is_good": is_good, "given_at": now}
    )


@reading
async def by_id(turn_id: int) -> Turn:
    """The turn with this id."""
    return await Turn.get(id=turn_id)


_ANSWER = (
    "SELECT inbox.turn_id, inbox.state, message.text FROM inbox"
    " LEFT JOIN message ON message.turn_id = inbox.turn_id"
    " AND message.role IN ('assistant', 'notice')"
    " WHERE inbox.\"key\" = ? AND inbox.turn_id IS NOT NULL AND inbox.state <> 'taken'"
    " AND NOT EXISTS (SELECT id FROM outbox"
    " WHERE outbox.turn_id = inbox.turn_id AND outbox.state = 'due')"
)


@reading_script
def answer(key: str) -> Script[tuple[int, str, InboxState] | None]:
    """What the message of this key was answered with; None until that has been delivered.

    The turn, the text that it ended with, and what became of the message. An answer in parts is
    put together again.
    """
    found = yield from rows(_ANSWER, key)
    if not found:
        return None
    turn_id, state, text = found[0]
    return turn_id, text or "", InboxState(state)
