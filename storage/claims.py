"""Conversations claimed, and their next turn opened: over what waits, or taken up again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from itertools import chain

from storage.drivers.internals import as_read, listed
from storage.drivers.script import (
    Made,
    NothingChanged,
    Script,
    Statement,
    adding,
    changed,
    changing,
    dialect,
    made,
    marks,
    needed,
    one_statement,
    quoted,
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
from storage.work import ORDER, Work, batch_of, of_conversation, still_asked, work_in, work_of

_SUSPICIOUS = 2  # interruptions in a row
_MOST_LONE_TRIES = 3
_LOOKS = 2  # what could not be claimed as it was seen has mostly been claimed by another process


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
    def is_nearly_given_up(self) -> bool:
        """Whether one more such try would be too much, or has been."""
        return self.turn.lone_tries >= _MOST_LONE_TRIES - 1

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
_TURN = f"{select(Turn)} WHERE id = ?"
_TAKEN_UP = "UPDATE turn SET interruptions = ?, revision = ? WHERE id = ?"
_STEPS = f"{select(Step)} WHERE turn_id = ? ORDER BY number"
_DRAFT = f"{select(OutboxMessage)} WHERE turn_id = ? AND part = 1"
_TAKE = "UPDATE inbox SET state = 'taken', turn_id = ? WHERE id IN ({})"
_OWN = ", ".join(f'own."{name}"' for name in listed(Conversation))
# Asked of PostgreSQL alone. `xmin` is the transaction that wrote a row's version. All that adds a
# message, or makes one due, has to write the conversation's row; all that changes one, its own.
_SEEN = {
    "postgres": f"SELECT {_OWN}, own.xmin::text, work.* FROM conversation AS own"  # noqa: S608  # names of ours
    f" LEFT JOIN ({of_conversation('xmin::text')}) AS work ON TRUE"
    f" WHERE own.id = ? AND own.ready_at <= ? ORDER BY work.{ORDER.replace(', ', ', work.')}"
}


@lru_cache
def _claiming(turn: tuple[str, ...], draft: tuple[str, ...], messages: int) -> str:
    """Claims a conversation and opens a turn with these columns over so many messages.

    A conversation that was written since it was seen, or that is locked, stays as it is. An edit of
    a message locks the conversation without writing it: where not all of the messages are as they
    were seen, all is undone.
    """
    as_seen = f"(id, xmin::text) IN ({', '.join(['(?, ?)'] * messages)})"
    is_whole = "(SELECT COUNT(*) FROM taken) = ? * (SELECT COUNT(*) FROM begun)"
    return (
        "WITH free AS (SELECT id FROM conversation"  # noqa: S608  # names of ours
        " WHERE id = ? AND xmin::text = ? AND ready_at <= ? FOR UPDATE SKIP LOCKED),"
        f" claimed AS ({_CLAIM.removesuffix('?')}(SELECT id FROM free) RETURNING id),"
        f" begun AS (INSERT INTO turn ({quoted(turn)})"
        f" SELECT {marks(len(turn))} FROM claimed RETURNING id),"
        " taken AS (UPDATE inbox SET state = 'taken', turn_id = (SELECT id FROM begun)"
        f" WHERE EXISTS (SELECT id FROM begun) AND {as_seen} RETURNING id),"
        f" drafted AS (INSERT INTO outbox ({quoted(draft)}, turn_id)"
        f" SELECT {marks(len(draft))}, id FROM begun RETURNING id)"
        f" SELECT (SELECT id FROM begun), {needed('SELECT id FROM drafted', is_whole)}"
    )


async def claim(
    *, conversation_id: int, owner: str, now: datetime, seconds: float, plan: Plan | None
) -> Claimed | None:
    """Lease this conversation if it has work and nobody else holds it, and open its next turn.

    Takeover is the same: a lease that lapsed is a conversation whose time has come. Nothing is
    opened without a `plan`, nor before what is due has been delivered.
    """
    if plan and dialect() == "postgres":
        for _ in range(_LOOKS):
            if (seen := await _seen(conversation_id, now)) is None:
                return None
            if not seen.work.messages or seen.work.has_due or seen.work.is_taken:
                break
            with suppress(NothingChanged):
                if claimed := await _claim_as_seen(seen, owner, now, seconds, plan):
                    return claimed
    return await _claim(conversation_id, owner, now, seconds, plan)


@script
def _claim(
    conversation_id: int, owner: str, now: datetime, seconds: float, plan: Plan | None
) -> Script[Claimed | None]:
    found = yield from whole(Conversation, _READY, conversation_id, milliseconds(now))
    if not found:
        return None
    row = found[0]
    lease = _leased(row, owner, seconds)
    work = (yield from work_in(conversation_id)) if plan else Work(messages=[])
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """A conversation that can be claimed, and its work, without a lock.

    The versions are what PostgreSQL gives each new version of a row, of the conversation and of
    each message.
    """

    row: Conversation
    work: Work
    version: str
    versions: Sequence[str]


@reading_script
def _seen(conversation_id: int, now: datetime) -> Script[_Seen | None]:
    found = yield from rows(_SEEN["postgres"], conversation_id, conversation_id, milliseconds(now))
    if not found:
        return None
    own, waiting = len(listed(Conversation)), [row for row in found if row[-1] is not None]
    return _Seen(
        row=as_read(Conversation, found[0][:own]),
        work=work_of([row[own + 1 : -1] for row in waiting]),
        version=found[0][own],
        versions=[row[-1] for row in waiting],
    )


@one_statement
def _claim_as_seen(
    seen: _Seen, owner: str, now: datetime, seconds: float, plan: Plan
) -> Script[Claimed | None]:
    """As `_claim`, if nothing has changed since it was seen; else nothing is done."""
    row, batch = seen.row, batch_of(seen.work.messages, plan.room)
    lease, number = _leased(row, owner, seconds), row.last_turn + 1
    turn = _new_turn(row.id, number, plan, now)
    draft = _new_draft(row.id, batch[-1].reply_to)
    ids = [each.id for each in batch]  # the first of those that were seen
    as_seen = chain.from_iterable(zip(ids, seen.versions, strict=False))
    ((turn_id, draft_id),) = yield from rows(
        _claiming(tuple(turn), tuple(draft), len(batch)),
        *(row.id, seen.version, milliseconds(now)),
        *(owner, lease.expires(now), number),
        *turn.values(),
        *as_seen,
        *draft.values(),
        len(batch),
    )
    if turn_id is None:
        return None
    opened = _opened(row, seen.work, batch, (turn, turn_id), (draft, draft_id))
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
    work = yield from work_in(lease.conversation_id)
    if not work.messages:
        return None
    if work.is_taken:
        return (yield from _taken_up(row, work, plan, is_takeover=lease.is_takeover))
    row.last_turn += 1
    return (yield from _begun(changing(_LAST_TURN, row.last_turn, row.id), row, work, plan, now))


def _begun(
    counts: Statement, row: Conversation, work: Work, plan: Plan, now: datetime
) -> Script[OpenTurn]:
    """A new turn, with what `counts` it in the conversation."""
    batch = batch_of(work.messages, plan.room)
    turn = _new_turn(row.id, row.last_turn, plan, now)
    draft = _new_draft(row.id, batch[-1].reply_to)
    _, turn_id, _, draft_id = yield from together(
        counts,
        adding(Turn, turn),
        changing(_TAKE.format(marks(len(batch))), Made(1), *(each.id for each in batch)),
        adding(OutboxMessage, {**draft, "turn_id": Made(1)}),
    )
    return _opened(row, work, batch, (turn, turn_id), (draft, draft_id))


def _opened(
    row: Conversation,
    work: Work,
    batch: list[InboxMessage],
    turn: tuple[Mapping[str, object], int],
    draft: tuple[Mapping[str, object], int],
) -> OpenTurn:
    """What was opened now; the turn and its draft as they were added, each with its id."""
    (values, turn_id), (said, draft_id) = turn, draft
    return OpenTurn(
        turn=made(Turn, values, turn_id),
        questions=batch,
        steps=[],
        draft=made(OutboxMessage, {**said, "turn_id": turn_id}, draft_id),
        last_seq=row.last_seq,
        is_shared=work.is_shared,
    )


def _taken_up(row: Conversation, work: Work, plan: Plan, *, is_takeover: bool) -> Script[OpenTurn]:
    (turn,) = yield from whole(Turn, _TURN, work.messages[0].turn_id)
    turn.interruptions += is_takeover
    turn.revision = plan.revision
    yield from changed(_TAKEN_UP, turn.interruptions, turn.revision, turn.id)
    steps = yield from whole(Step, _STEPS, turn.id)
    (draft,) = yield from whole(OutboxMessage, _DRAFT, turn.id)
    taken = [each for each in work.messages if each.state is InboxState.TAKEN]
    questions = still_asked(taken)
    return OpenTurn(
        turn=turn,
        questions=questions,
        steps=steps,
        draft=draft,
        last_seq=row.last_seq,
        is_shared=work.is_shared,
    )


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
    work = yield from work_in(lease.conversation_id)
    taken = [each for each in work.messages if each.state is InboxState.TAKEN]
    questions = still_asked(taken)
    last = max(each.position for each in taken)
    waiting = [each for each in work.messages if each.state is InboxState.WAITING]
    joined = batch_of([*questions, *waiting], room)[len(questions) :]
    if joined and joined[0].position > last and not turn.stop_asked_at:
        mark = _TAKE.format(marks(len(joined)))
        yield from changed(mark, turn.id, *(each.id for each in joined))
        questions = [*questions, *joined]
    return replace(opened, turn=turn, questions=questions)


@reading_script
def steps_of(turn_id: int) -> Script[list[Step]]:
    """What is finished of a turn, in order."""
    return (yield from whole(Step, _STEPS, turn_id))


def _new_turn(conversation_id: int, number: int, plan: Plan, now: datetime) -> dict[str, object]:
    return {
        "conversation_id": conversation_id,
        "number": number,
        "state": TurnState.RUNNING,
        "revision": plan.revision,
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
