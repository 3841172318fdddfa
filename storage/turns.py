"""Turns: opened over waiting messages, journalled step by step, ended in one transaction."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from tortoise.expressions import F

from storage.lease import Lease, fence, milliseconds
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
from storage.transaction import reading, transaction, write_first
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


@write_first
async def open_next(
    lease: Lease, *, revision: str, now: datetime, room: int = _ROOM
) -> OpenTurn | None:
    """Take up the turn that was interrupted, or open one over what waits; None if nothing does.

    Messages that one person wrote in a row at one place are answered together, in the platform's
    order, as far as they have at most `room` bytes.

    Raises:
        LeaseLost: somebody else has claimed the conversation since.
    """
    await fence(lease, now)
    turn = await Turn.get_or_none(conversation_id=lease.conversation_id, state=TurnState.RUNNING)
    if turn is None:
        return await _open(lease.conversation_id, revision, now, room)
    turn.interruptions += lease.is_takeover
    turn.revision = revision
    await Turn.filter(id=turn.id).update(interruptions=turn.interruptions, revision=revision)
    return OpenTurn(
        turn=turn,
        questions=await InboxMessage.filter(turn_id=turn.id).order_by("position", "id"),
        steps=await Step.filter(turn_id=turn.id).order_by("number"),
        draft=await OutboxMessage.get(turn_id=turn.id, part=1),
    )


@write_first
async def try_alone(lease: Lease, turn_id: int, now: datetime) -> None:
    """Count an attempt that begins now, alone in its process: whoever ends by it cannot tell.

    Raises:
        LeaseLost: somebody else has claimed the conversation since.
    """
    await fence(lease, now)
    await Turn.filter(id=turn_id).update(lone_tries=F("lone_tries") + 1)


async def _open(conversation_id: int, revision: str, now: datetime, room: int) -> OpenTurn | None:
    waiting = (
        await InboxMessage.filter(conversation_id=conversation_id, state=InboxState.WAITING)
        .order_by("position", "id")
        .limit(_TOGETHER)
    )
    if not waiting:
        return None
    batch = _together(waiting, room)
    await Conversation.filter(id=conversation_id).update(last_turn=F("last_turn") + 1)
    number = (await Conversation.get(id=conversation_id)).last_turn
    turn = await Turn.create(
        conversation_id=conversation_id,
        number=number,
        state=TurnState.RUNNING,
        revision=revision,
        attempts=1,
        opened_at=now,
    )
    await InboxMessage.filter(id__in=[message.id for message in batch]).update(
        state=InboxState.TAKEN, turn_id=turn.id
    )
    draft = await OutboxMessage.create(
        key=_new_key(),
        conversation_id=conversation_id,
        turn_id=turn.id,
        part=1,
        state=OutboxState.DRAFT,
        text="",
        reply_to=batch[-1].reply_to,
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
    words = len(message.text.encode()) + len(message.author.encode())
    return words + _FRAME + _FILE * len(message.attachments)


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishedStep:
    """One model call or tool call, finished; steps of a turn are numbered from 1."""

    turn_id: int
    number: int
    kind: StepKind
    content: dict[str, object]
    spent: Spent | None = None


@write_first
async def record(
    lease: Lease, step: FinishedStep, now: datetime, *, is_again: bool = False
) -> None:
    """Journal a finished step; progress gives the turn its attempts back.

    `is_again`: it was tried, and may be there: what stands under the same lease is the same step.

    Raises:
        LeaseLost: somebody else has claimed the conversation since.
    """
    await fence(lease, now)
    if is_again and await Step.filter(turn_id=step.turn_id, number=step.number).exists():
        return
    await Step.create(
        turn_id=step.turn_id,
        number=step.number,
        kind=step.kind,
        content=step.content,
        finished_at=now,
    )
    await Turn.filter(id=step.turn_id).update(attempts=1, interruptions=0, lone_tries=0)
    if step.spent:
        call = Call(turn_id=step.turn_id, agent_id=lease.agent_id, step=step.number)
        await add(step.spent, call, now)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a turn ends: what is added to the history, and the visible messages in order."""

    state: TurnState
    entries: Sequence[Entry]
    parts: Sequence[str]
    failure: str | None = None


@write_first
async def end(lease: Lease, turn_id: int, ending: Ending, now: datetime) -> None:
    """End the turn: history, turn, answered messages and what is to be delivered, or nothing.

    A turn that has ended already stays as it is.

    Raises:
        LeaseLost: somebody else has claimed the conversation since.
    """
    await fence(lease, now)
    running = Turn.filter(id=turn_id, state=TurnState.RUNNING)
    if not await running.update(state=ending.state, failure=ending.failure, ended_at=now):
        return
    answered = InboxState.FAILED if ending.state is TurnState.FAILED else InboxState.ANSWERED
    await InboxMessage.filter(turn_id=turn_id).update(state=answered)
    await _add_to_history(lease.conversation_id, turn_id, ending.entries)
    await _make_due(lease.conversation_id, turn_id, ending.parts)


async def _add_to_history(conversation_id: int, turn_id: int, entries: Sequence[Entry]) -> None:
    await Conversation.filter(id=conversation_id).update(last_seq=F("last_seq") + len(entries))
    last = (await Conversation.get(id=conversation_id)).last_seq
    await Message.bulk_create(
        Message(
            conversation_id=conversation_id,
            seq=seq,
            role=entry.role,
            author=entry.author,
            text=entry.text,
            tokens=entry.tokens,
            turn_id=turn_id,
            said_at=entry.said_at,
        )
        for seq, entry in enumerate(entries, start=last - len(entries) + 1)
    )


async def _make_due(conversation_id: int, turn_id: int, parts: Sequence[str]) -> None:
    first, *others = parts
    await OutboxMessage.filter(turn_id=turn_id, part=1).update(text=first, state=OutboxState.DUE)
    if not others:
        return
    draft = await OutboxMessage.get(turn_id=turn_id, part=1)
    await OutboxMessage.bulk_create(
        OutboxMessage(
            key=_new_key(),
            conversation_id=conversation_id,
            turn_id=turn_id,
            part=part,
            state=OutboxState.DUE,
            text=text,
            reply_to=draft.reply_to,
        )
        for part, text in enumerate(others, start=2)
    )


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


@reading
async def answer(turn_id: int) -> str:
    """The text that the turn ended with; an answer in parts is put together again."""
    message = await Message.filter(
        turn_id=turn_id, role__in=[MessageRole.ASSISTANT, MessageRole.NOTICE]
    ).first()
    return message.text if message else ""


def _new_key() -> str:
    """A key that no other database has used: platforms keep it with the message."""
    return secrets.token_hex(8)
