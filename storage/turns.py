"""Turns: opened over waiting messages, journalled step by step, ended in one transaction."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from tortoise.expressions import F

from storage.drivers.script import (
    Script,
    added,
    changed,
    insert,
    new,
    reading_script,
    rows,
    script,
    select,
    whole,
)
from storage.drivers.transaction import reading, transaction, write_first
from storage.lease import Lease, fence, held, milliseconds
from storage.models import (
    Conversation,
    Feedback,
    InboxMessage,
    InboxState,
    Message,
    MessageRole,
    OutboxMessage,
    OutboxState,
    Step,
    StepKind,
    Turn,
    TurnState,
)
from storage.outbox import all_due
from storage.usage import Call, Spent, add

_TOGETHER = 50  # messages of one person that are answered in one turn, at most
_ROOM = 40_000  # bytes, for whoever does not know the agent's window
_FILE = 3_500  # bytes that a file counts as: an image costs about a thousand tokens
_FRAME = 16  # bytes that a message takes besides its text and its author's name
_SUSPICIOUS = 2  # interruptions in a row
_MOST_LONE_TRIES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenTurn:
    """A turn in progress: what it answers, what is finished, and the message that will show it."""

    turn: Turn
    questions: list[InboxMessage]
    steps: list[Step]
    draft: OutboxMessage

    @property
    def is_suspect(self) -> bool:
        """Whether it may be what ends the processes that work on it: it is to be tried alone."""
        return self.turn.interruptions >= _SUSPICIOUS and not self.is_given_up

    @property
    def is_given_up(self) -> bool:
        """Whether it ended its process as often as it may, while it was tried alone."""
        return self.turn.lone_tries >= _MOST_LONE_TRIES


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One message to be added to the history."""

    role: MessageRole
    author: str
    text: str
    tokens: int
    said_at: datetime


_RUNNING = f"{select(Turn)} WHERE conversation_id = ? AND number = ? AND state = 'running'"
_TAKEN_UP = "UPDATE turn SET interruptions = ?, revision = ? WHERE id = ?"
_QUESTIONS = f"{select(InboxMessage)} WHERE turn_id = ? ORDER BY position, id"
_STEPS = f"{select(Step)} WHERE turn_id = ? ORDER BY number"
_DRAFT = f"{select(OutboxMessage)} WHERE turn_id = ? AND part = 1"
_WAITING = (
    f"{select(InboxMessage)} WHERE conversation_id = ? AND state = 'waiting'"
    f" ORDER BY position, id LIMIT {_TOGETHER}"
)
_LAST_TURN = "UPDATE conversation SET last_turn = ? WHERE id = ?"
_TAKE = "UPDATE inbox SET state = 'taken', turn_id = ? WHERE id = ?"


@script
def open_next(
    lease: Lease, *, revision: str, now: datetime, room: int = _ROOM
) -> Script[OpenTurn | None]:
    """Take up the turn that was interrupted, or open one over what waits; None if nothing does.

    Messages that one person wrote in a row at one place are answered together, in the platform's
    order, as far as they have at most `room` bytes.

    Raises:
        LeaseLost: somebody else has claimed the conversation since.
    """
    (last_turn,) = yield from held(lease, "last_turn")
    # Only the newest can be running: each is ended before the next one is opened.
    running = yield from whole(Turn, _RUNNING, lease.conversation_id, last_turn)
    if not running:
        return (yield from _open(lease.conversation_id, last_turn + 1, revision, now, room))
    turn = running[0]
    turn.interruptions += lease.is_takeover
    turn.revision = revision
    yield from changed(_TAKEN_UP, turn.interruptions, revision, turn.id)
    questions = yield from whole(InboxMessage, _QUESTIONS, turn.id)
    steps = yield from whole(Step, _STEPS, turn.id)
    (draft,) = yield from whole(OutboxMessage, _DRAFT, turn.id)
    return OpenTurn(turn=turn, questions=questions, steps=steps, draft=draft)


@write_first
async def try_alone(lease: Lease, turn_id: int, now: datetime) -> None:
    """Count an attempt that begins now, alone in its process: whoever ends by it cannot tell.

    Raises:
        LeaseLost: somebody else has claimed the conversation since.
    """
    await fence(lease, now)
    await Turn.filter(id=turn_id).update(lone_tries=F("lone_tries") + 1)


def _open(
    conversation_id: int, number: int, revision: str, now: datetime, room: int
) -> Script[OpenTurn | None]:
    waiting = yield from whole(InboxMessage, _WAITING, conversation_id)
    if not waiting:
        return None
    batch = _together(waiting, room)
    yield from changed(_LAST_TURN, number, conversation_id)
    turn = yield from new(
        Turn,
        {
            "conversation_id": conversation_id,
            "number": number,
            "state": TurnState.RUNNING,
            "revision": revision,
            "attempts": 1,
            "interruptions": 0,
            "lone_tries": 0,
            "opened_at": now,
        },
    )
    for message in batch:
        yield from changed(_TAKE, turn.id, message.id)
    draft = yield from new(
        OutboxMessage,
        {
            "key": _new_key(),
            "conversation_id": conversation_id,
            "turn_id": turn.id,
            "part": 1,
            "state": OutboxState.DRAFT,
            "text": "",
            "reply_to": batch[-1].reply_to,
            "attempts": 0,
            "failures": 0,
        },
    )
    return OpenTurn(turn=turn, questions=batch, steps=[], draft=draft)


def _together(waiting: Sequence[InboxMessage], room: int) -> list[InboxMessage]:
    """The first one, and those after it that can be answered with it."""
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


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishedStep:
    """One model call or tool call, finished; steps of a turn are numbered from 1."""

    turn_id: int
    number: int
    kind: StepKind
    content: dict[str, object]
    spent: Spent | None = None


_IS_STORED = "SELECT id FROM step WHERE turn_id = ? AND number = ?"
_STEP = insert(Step, ("turn_id", "number", "kind", "content", "finished_at"))
_PROGRESS = (
    "UPDATE turn SET attempts = 1, interruptions = 0, lone_tries = 0"
    " WHERE id = ? AND (attempts <> 1 OR interruptions <> 0 OR lone_tries <> 0)"
)


@script
def record(
    lease: Lease, step: FinishedStep, now: datetime, *, is_again: bool = False
) -> Script[None]:
    """Journal a finished step; progress gives the turn its attempts back.

    `is_again`: it was tried, and may be there: what stands under the same lease is the same step.

    Raises:
        LeaseLost: somebody else has claimed the conversation since.
    """
    yield from held(lease)
    if is_again and (yield from rows(_IS_STORED, step.turn_id, step.number)):
        return
    yield from added(_STEP, step.turn_id, step.number, step.kind, step.content, now)
    yield from changed(_PROGRESS, step.turn_id)
    if step.spent:
        call = Call(turn_id=step.turn_id, agent_id=lease.agent_id, step=step.number)
        yield from add(step.spent, call, now)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a turn ends: what is added to the history, and the visible messages in order.

    `intends`: the first of them is about to be posted, and may be there from now on.
    """

    state: TurnState
    entries: Sequence[Entry]
    parts: Sequence[str]
    failure: str | None = None
    intends: bool = False


_END = "UPDATE turn SET state = ?, failure = ?, ended_at = ? WHERE id = ? AND state = 'running'"
_ANSWERED = "UPDATE inbox SET state = ? WHERE turn_id = ?"
_LAST_SEQ = "UPDATE conversation SET last_seq = ? WHERE id = ?"
_ENTRY = ("conversation_id", "seq", "role", "author", "text", "tokens", "turn_id", "said_at")
_DUE = (
    "UPDATE outbox SET text = ?, state = 'due', attempts = attempts + ?,"
    " tried_at = COALESCE(?, tried_at) WHERE turn_id = ? AND part = 1"
)
_REPLY_TO = "SELECT reply_to FROM outbox WHERE turn_id = ? AND part = 1"
_PART = ("key", "conversation_id", "turn_id", "part", "state", "text", "reply_to", "attempts")


@script
def end(lease: Lease, turn_id: int, ending: Ending, now: datetime) -> Script[list[OutboxMessage]]:
    """End the turn: history, turn, answered messages and what is to be delivered, or nothing.

    A turn that has ended already stays as it is. Returns all that the conversation has to deliver
    now, in order.

    Raises:
        LeaseLost: somebody else has claimed the conversation since.
    """
    (last_seq,) = yield from held(lease, "last_seq")
    if not (yield from changed(_END, ending.state, ending.failure, now, turn_id)):
        return (yield from all_due(lease.conversation_id))
    answered = InboxState.FAILED if ending.state is TurnState.FAILED else InboxState.ANSWERED
    yield from changed(_ANSWERED, answered, turn_id)
    yield from _add_to_history(lease.conversation_id, last_seq, turn_id, ending.entries)
    yield from _make_due(lease.conversation_id, turn_id, ending, now)
    return (yield from all_due(lease.conversation_id))


def _add_to_history(
    conversation_id: int, last_seq: int, turn_id: int, entries: Sequence[Entry]
) -> Script[None]:
    yield from changed(_LAST_SEQ, last_seq + len(entries), conversation_id)
    values: list[object] = []
    for seq, entry in enumerate(entries, start=last_seq + 1):
        said = (entry.role, entry.author, entry.text, entry.tokens)
        values += (conversation_id, seq, *said, turn_id, entry.said_at)
    if values:
        yield from changed(insert(Message, _ENTRY, len(entries)), *values)


def _make_due(conversation_id: int, turn_id: int, ending: Ending, now: datetime) -> Script[None]:
    first, *others = ending.parts
    intended_at = now if ending.intends else None
    yield from changed(_DUE, first, int(ending.intends), intended_at, turn_id)
    if not others:
        return
    ((reply_to,),) = yield from rows(_REPLY_TO, turn_id)
    values: list[object] = []
    for part, text in enumerate(others, start=2):
        row = (conversation_id, turn_id, part, OutboxState.DUE, text, reply_to, 0)
        values += (_new_key(), *row)
    yield from changed(insert(OutboxMessage, _PART, len(others)), *values)


@write_first
async def hand_over(
    lease: Lease,
    now: datetime,
    *,
    opened: OpenTurn | None = None,
    has_failed: bool = False,
    not_before: datetime | None = None,
) -> None:
    """Give an unfinished conversation to whoever claims it next, at once or at `not_before`.

    A try alone of the turn that was `opened` is given back: it ended no process. The attempt
    counts if it `has_failed` by itself.

    Raises:
        LeaseLost: somebody else has claimed the conversation since.
    """
    await fence(lease, now)
    if opened:
        running = Turn.filter(id=opened.turn.id, state=TurnState.RUNNING)
        before = opened.turn.lone_tries
        await running.filter(lone_tries__gt=before).update(lone_tries=before)
        if has_failed:
            await running.update(attempts=F("attempts") + 1)
    await Conversation.filter(id=lease.conversation_id).update(
        token=F("token") + 1, owner=None, ready_at=milliseconds(not_before or now)
    )


@transaction
async def ask_to_stop(turn_id: int, now: datetime) -> bool:
    """Ask whoever runs the turn to stop it; False if it is not running any more."""
    return bool(await Turn.filter(id=turn_id, state=TurnState.RUNNING).update(stop_asked_at=now))


@reading
async def is_asked_to_stop(turn_id: int) -> bool:
    """Whether somebody wants the turn stopped."""
    return await Turn.filter(id=turn_id, stop_asked_at__not_isnull=True).exists()


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


def _new_key() -> str:
    """A key that no other database has used: platforms keep it with the message."""
    return secrets.token_hex(8)
