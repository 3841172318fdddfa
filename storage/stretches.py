"""What was said in a stretch of a history; of what people typed, the key it was received under."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from storage.drivers.transaction import reading
from storage.models import InboxMessage, Message, MessageRole, Turn, TurnState

_MOST = 1_000  # messages


@dataclass(frozen=True, slots=True, kw_only=True)
class StretchMessage:
    """A message of a history; with `key` if a person typed it and it stands."""

    seq: int
    author: str
    text: str
    said_at: datetime
    key: str = ""


@reading
async def read(conversation_id: int, *, after_seq: int, upto_seq: int) -> list[StretchMessage]:
    """The newest messages of the stretch, oldest first.

    A turn adds what it was asked in the order in which the messages were received.
    """
    messages = (
        await Message.filter(conversation_id=conversation_id, seq__gt=after_seq, seq__lte=upto_seq)
        .order_by("-seq")
        .limit(_MOST)
    )[::-1]
    received = await InboxMessage.filter(
        turn_id__in=list({message.turn_id for message in messages})
    ).order_by("turn_id", "position", "id")
    asked = {turn: list(rows) for turn, rows in groupby(received, lambda each: each.turn_id)}
    first = messages[0] if messages else None
    if first:  # the stretch may begin within a turn: the questions before it count, too
        skipped = await Message.filter(
            conversation_id=conversation_id, turn_id=first.turn_id, seq__lt=first.seq
        ).count()
        asked[first.turn_id] = asked.get(first.turn_id, [])[skipped:]
    return [_said(message, asked.get(message.turn_id, [])) for message in messages]


def _said(message: Message, asked: list[InboxMessage]) -> StretchMessage:
    is_asked = message.role is MessageRole.USER and asked
    source = asked.pop(0) if is_asked else None
    stands = source is not None and source.text != ""
    return StretchMessage(
        seq=message.seq,
        author=message.author,
        text=message.text,
        said_at=message.said_at,
        key=source.key if source and stands else "",
    )


@reading
async def newest_turn(conversation_id: int) -> int | None:
    """The id of the newest turn that has ended there."""
    ended = Turn.filter(conversation_id=conversation_id, ended_at__not_isnull=True)
    newest = await ended.order_by("-number").first()
    return newest.id if newest else None


@reading
async def people_spoke(conversation_id: int, *, after_seq: int) -> int:
    """How many messages of people there are after that one."""
    return await Message.filter(
        conversation_id=conversation_id, seq__gt=after_seq, role=MessageRole.USER
    ).count()


@reading
async def ended_between(since: datetime, until: datetime) -> list[int]:
    """The conversations whose turns ended after `since` and no later than `until`."""
    ended = Turn.filter(ended_at__gt=since, ended_at__lte=until).exclude(state=TurnState.RUNNING)
    found = await ended.distinct().values_list("conversation_id", flat=True)
    return [int(str(each)) for each in found]


@reading
async def is_quiet_since(conversation_id: int, moment: datetime) -> bool:
    """Whether no turn ended there later, and none is under way."""
    later = Turn.filter(conversation_id=conversation_id, ended_at__gt=moment)
    running = Turn.filter(conversation_id=conversation_id, ended_at__isnull=True)
    return not (await later.exists() or await running.exists())
