"""Conversations claimed, and their next turn opened: over what waits, or taken up again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from storage.drivers.internals import as_read
from storage.drivers.script import (
    Made,
    Script,
    Statement,
    adding,
    changed,
    changing,
    made,
    marks,
    reading_script,
    rows,
    script,
    select,
    together,
    whole,
)
from storage.lease import Lease, held, milliseconds
from storage.models import (
    Conversation,
    InboxMessage,
    InboxState,
    OutboxMessage,
    OutboxState,
    Step,
    Turn,
    TurnState,
)
from storage.outbox import new_key

_TOGETHER = 50  # messages of one person that are answered in one turn, at most
_FILE = 3_500  # bytes that a file counts as: an image costs about a thousand tokens
_FRAME = 16  # bytes that a message takes besides its text and its author's name
_SUSPICIOUS = 2  # interruptions in a row
_MOST_LONE_TRIES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How a turn is opened: answered by which revision of the agent, over how much at once.

    Messages that one person wrote in a row at one place are answered together, in the platform's
    order, as far as they have at most `room` bytes.
    """

    revision: str
    room: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenTurn:
    """A turn in progress: what it answers, what is finished, and the message that will show it.

    `last_seq` is that of the history, to which only the end of this turn adds; `is_shared` where
    other agents have conversations at the same address.
    """

    turn: Turn
    questions: list[InboxMessage]
    steps: list[Step]
    draft: OutboxMessage
    last_seq: int
    is_shared: bool = False

    @property
    def is_suspect(self) -> bool:
        """Whether it may be what ends the processes that work on it: it is to be tried alone."""
        return self.turn.interruptions >= _SUSPICIOUS and not self.is_given_up

    @property
    def is_given_up(self) -> bool:
        """Whether it ended its process as often as it may, while it was tried alone."""
        return self.turn.lone_tries >= _MOST_LONE_TRIES

    @property
    def is_first_try(self) -> bool:
        """Whether nothing has failed or was interrupted since its newest step."""
        turn = self.turn
        return (turn.attempts, turn.interruptions, turn.lone_tries) == (1, 0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """A lease, with the turn that was opened under it at once.

    Without one there is something to be delivered first, or nothing to be answered.
    """

    lease: Lease
    opened: OpenTurn | None


_READY = f"{select(Conversation)} WHERE id = ? AND ready_at <= ? FOR UPDATE SKIP LOCKED"
_CLAIM = (
    "UPDATE conversation SET token = token + 1, owner = ?, ready_at = ?, last_turn = ? WHERE id = ?"
)
_LAST_TURN = "UPDATE conversation SET last_turn = ? WHERE id = ?"
_HAS_DUE = (
    "EXISTS (SELECT id FROM outbox"
    " WHERE outbox.conversation_id = inbox.conversation_id AND outbox.state = 'due')"
)
_IS_SHARED = (
    "EXISTS (SELECT other.id FROM conversation AS own JOIN conversation AS other"
    " ON other.address = own.address AND other.id <> own.id WHERE own.id = inbox.conversation_id)"
)
# In the order of the index: what a running turn has taken comes first.
_WORK = (
    f"{select(InboxMessage, _HAS_DUE, _IS_SHARED)}"
    " WHERE conversation_id = ? AND state IN ('taken', 'waiting')"
    f" ORDER BY state, position, id LIMIT {_TOGETHER}"
)
_TURN = f"{select(Turn)} WHERE id = ?"
_TAKEN_UP = "UPDATE turn SET interruptions = ?, revision = ? WHERE id = ?"
_STEPS = f"{select(Step)} WHERE turn_id = ? ORDER BY number"
_DRAFT = f"{select(OutboxMessage)} WHERE turn_id = ? AND part = 1"
_TAKE = "UPDATE inbox SET state = 'taken', turn_id = ? WHERE id IN ({})"


@script
def claim(
    *, conversation_id: int, owner: str, now: datetime, seconds: float, plan: Plan | None
) -> Script[Claimed | None]:
    """Lease this conversation if it has work and nobody else holds it, and open its next turn.

    Takeover is the same: a lease that lapsed is a conversation whose time has come. Nothing is
    opened without a `plan`, nor before what is due has been delivered.
    """
    found = yield from whole(Conversation, _READY, conversation_id, milliseconds(now))
    if not found:
        return None
    row = found[0]
    lease = _leased(row, owner, seconds)
    work = (yield from _work(conversation_id)) if plan else _Work(messages=[])
    opens = plan and work.messages and not work.has_due
    row.last_turn += bool(opens and not work.is_taken)
    claims = changing(_CLAIM, owner, lease.expires(now), row.last_turn, conversation_id)
    if not (plan and opens):
        yield from together(claims)
        return Claimed(lease=lease, opened=None)
    if work.is_taken:
        yield from together(claims)
        opened = yield from _taken_up(row, work, plan, is_takeover=lease.is_takeover)
    else:
        opened = yield from _begun(claims, row, work, plan, now)
    return Claimed(lease=lease, opened=opened)


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


@script
def open_next(lease: Lease, *, plan: Plan, now: datetime) -> Script[OpenTurn | None]:
    """Take up the turn that was interrupted, or open one over what waits; None if nothing does.

    Raises:
        LeaseLost: somebody else has claimed the conversation since.
    """
    row = yield from held(lease)
    work = yield from _work(lease.conversation_id)
    if not work.messages:
        return None
    if work.is_taken:
        return (yield from _taken_up(row, work, plan, is_takeover=lease.is_takeover))
    row.last_turn += 1
    return (yield from _begun(changing(_LAST_TURN, row.last_turn, row.id), row, work, plan, now))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    """What is to be answered: by the turn that has taken it already, or by a new one."""

    messages: list[InboxMessage]
    has_due: bool = False
    is_shared: bool = False

    @property
    def is_taken(self) -> bool:
        """Whether a turn was interrupted; it is the newest, and ends before the next is opened."""
        return bool(self.messages) and self.messages[0].state is InboxState.TAKEN


def _work(conversation_id: int) -> Script[_Work]:
    found = yield from rows(_WORK, conversation_id)
    if not found:
        return _Work(messages=[])
    *_, has_due, is_shared = found[0]
    messages = [as_read(InboxMessage, row[:-2]) for row in found]
    return _Work(messages=messages, has_due=bool(has_due), is_shared=bool(is_shared))


def _begun(
    counts: Statement, row: Conversation, work: _Work, plan: Plan, now: datetime
) -> Script[OpenTurn]:
    """A new turn, with what `counts` it in the conversation."""
    batch = _together(work.messages, plan.room)
    turn, draft = _new_turn(row, plan.revision, now), _new_draft(row.id, batch[-1].reply_to)
    _, turn_id, _, draft_id = yield from together(
        counts,
        adding(Turn, turn),
        changing(_TAKE.format(marks(len(batch))), Made(1), *(each.id for each in batch)),
        adding(OutboxMessage, {**draft, "turn_id": Made(1)}),
    )
    return OpenTurn(
        turn=made(Turn, turn, turn_id),
        questions=batch,
        steps=[],
        draft=made(OutboxMessage, {**draft, "turn_id": turn_id}, draft_id),
        last_seq=row.last_seq,
        is_shared=work.is_shared,
    )


def _taken_up(row: Conversation, work: _Work, plan: Plan, *, is_takeover: bool) -> Script[OpenTurn]:
    (turn,) = yield from whole(Turn, _TURN, work.messages[0].turn_id)
    turn.interruptions += is_takeover
    turn.revision = plan.revision
    yield from changed(_TAKEN_UP, turn.interruptions, turn.revision, turn.id)
    steps = yield from whole(Step, _STEPS, turn.id)
    (draft,) = yield from whole(OutboxMessage, _DRAFT, turn.id)
    taken = [each for each in work.messages if each.state is InboxState.TAKEN]
    questions = _still_asked(taken)
    return OpenTurn(
        turn=turn,
        questions=questions,
        steps=steps,
        draft=draft,
        last_seq=row.last_seq,
        is_shared=work.is_shared,
    )


def _still_asked(taken: list[InboxMessage]) -> list[InboxMessage]:
    """Without those that were deleted meanwhile; all of them, if there is no other."""
    return [each for each in taken if each.text or each.attachments] or taken


@script
def read_again(lease: Lease, opened: OpenTurn, *, room: int) -> Script[OpenTurn]:
    """The turn with what it is asked by now.

    That is its questions as people have edited them, and what the same person wrote at the same
    place since, if nobody else's message stands before that, as far as all has `room` bytes. A turn
    that is to stop takes nothing in.

    Raises:
        LeaseLost: somebody else has claimed the conversation since.
    """
    yield from held(lease)
    (turn,) = yield from whole(Turn, _TURN, opened.turn.id)
    turn.lone_tries = min(turn.lone_tries, opened.turn.lone_tries)  # without the one now
    work = yield from _work(lease.conversation_id)
    taken = [each for each in work.messages if each.state is InboxState.TAKEN]
    questions = _still_asked(taken)
    last = max(each.position for each in taken)
    waiting = [each for each in work.messages if each.state is InboxState.WAITING]
    joined = _together([*questions, *waiting], room)[len(questions) :]
    if joined and joined[0].position > last and not turn.stop_asked_at:
        mark = _TAKE.format(marks(len(joined)))
        yield from changed(mark, turn.id, *(each.id for each in joined))
        questions = [*questions, *joined]
    return replace(opened, turn=turn, questions=questions)


@reading_script
def steps_of(turn_id: int) -> Script[list[Step]]:
    """What is finished of a turn, in order."""
    return (yield from whole(Step, _STEPS, turn_id))


def _new_turn(row: Conversation, revision: str, now: datetime) -> dict[str, object]:
    return {
        "conversation_id": row.id,
        "number": row.last_turn,
        "state": TurnState.RUNNING,
        "revision": revision,
        "attempts": 1,
        "interruptions": 0,
        "lone_tries": 0,
        "edits": 0,
        "opened_at": now,
    }


def _new_draft(conversation_id: int, reply_to: str | None) -> dict[str, object]:
    return {
        "key": new_key(),
        "conversation_id": conversation_id,
        "part": 1,
        "state": OutboxState.DRAFT,
        "text": "",
        "reply_to": reply_to,
        "attempts": 0,
        "failures": 0,
    }


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
