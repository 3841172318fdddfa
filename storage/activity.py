"""What goes on at an address and below it: waiting messages, running turns, recent threads.

`readers` limits what lies below an address to conversations with these readers: what is said in
a private thread is shown only there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from tortoise.expressions import Q, Subquery
from tortoise.functions import Max

from storage.drivers.script import Script, reading_script, rows
from storage.drivers.transaction import reading, transaction
from storage.models import (
    Conversation,
    InboxMessage,
    InboxState,
    OutboxMessage,
    Step,
    StepKind,
    Summary,
    SummaryKind,
    Turn,
    TurnState,
    Usage,
)

_RECENT = 1_000  # messages that are looked at for the threads they stand in
_NEWEST = 100  # answers among which the newest one since a reset is looked for
_AT_ONCE = 100  # addresses in one statement
_SAID_BY = (
    "SELECT conversation.address, agent.name FROM outbox"
    " JOIN conversation ON conversation.id = outbox.conversation_id"
    " JOIN agent ON agent.id = conversation.agent_id WHERE outbox.message_id = ?"
)


@reading
async def waiting(path: str, *, readers: Sequence[str]) -> int:
    """How many messages nobody has begun to answer."""
    return await InboxMessage.filter(
        conversation_id__in=_inside(path, readers), state=InboxState.WAITING
    ).count()


@reading
async def running(path: str, *, readers: Sequence[str]) -> list[Turn]:
    """The answers that are being written."""
    return await Turn.filter(conversation_id__in=_inside(path, readers), state=TurnState.RUNNING)


@reading
async def running_in(path: str, *, thread: str, message_ids: list[str]) -> list[Turn]:
    """The answers that are written in one of these messages; of none, those in this thread."""
    turns = Turn.filter(conversation_id__in=_inside(path), state=TurnState.RUNNING)
    for which in (Q(message_id__in=message_ids), Q(reply_to=thread)):
        shown = OutboxMessage.filter(which, part=1)
        if found := await turns.filter(id__in=Subquery(shown.values("turn_id"))):
            return found
    return []


@reading
async def newest_turn(path: str, *, readers: Sequence[str]) -> Turn | None:
    """The answer that ended last, of those since the last reset of their conversation."""
    ended = Turn.filter(conversation_id__in=_inside(path, readers), ended_at__not_isnull=True)
    newest = await ended.order_by("-ended_at", "-id").limit(_NEWEST)
    resets = Summary.filter(
        conversation_id__in=[turn.conversation_id for turn in newest], kind=SummaryKind.RESET
    )
    before = {reset.conversation_id: reset.made_at for reset in await resets.order_by("made_at")}
    return next((turn for turn in newest if _is_since(turn, before)), None)


def _is_since(turn: Turn, reset_at: Mapping[int, datetime]) -> bool:
    at = reset_at.get(turn.conversation_id)
    return at is None or turn.ended_at is None or turn.ended_at > at


@reading
async def turn_of(
    path: str, *, readers: Sequence[str], turn_id: int | None, message_ids: list[str]
) -> Turn | None:
    """The turn of this id, or that made one of these messages of the platform, if it is there."""
    found = Turn.filter(conversation_id__in=_inside(path, readers))
    if turn_id is not None:
        return await found.get_or_none(id=turn_id)
    shown = OutboxMessage.filter(message_id__in=message_ids)
    return await found.filter(id__in=Subquery(shown.values("turn_id"))).first()


@reading_script
def agent_behind(path: str, message_id: str) -> Script[str | None]:
    """The name of the agent that said it, if it was said there."""
    found = yield from rows(_SAID_BY, message_id)
    names = (name for address, name in found if f"{address}/".startswith(f"{path}/"))
    return next(names, None)


@reading
async def spent(turn_id: int) -> list[Usage]:
    """What the model calls for the turn's answer used, in order."""
    return await Usage.filter(turn_id=turn_id, purpose="answer").order_by("step")


@reading
async def tool_steps(turn_id: int) -> list[Step]:
    """The turn's finished tool calls, in order."""
    return await Step.filter(turn_id=turn_id, kind=StepKind.TOOL).order_by("number")


@reading
async def recent_threads(path: str, *, since: datetime, limit: int) -> list[tuple[str, str]]:
    """Where messages were received lately, newest first: the conversation's address, the thread."""
    rows = (
        await InboxMessage.filter(
            conversation_id__in=_inside(path), reply_to__not_isnull=True, sent_at__gte=since
        )
        .order_by("-id")
        .limit(_RECENT)
        .values_list("conversation_id", "reply_to")
    )
    found = list(dict.fromkeys((int(row[0]), str(row[1])) for row in rows))[:limit]
    conversations = await Conversation.filter(id__in=[number for number, _ in found])
    addresses = {conversation.id: conversation.address for conversation in conversations}
    return [(addresses[number], thread) for number, thread in found]


@reading
async def recent_conversations(path: str, *, since: datetime, limit: int) -> list[str]:
    """The addresses of the conversations that received messages lately, newest first."""
    rows = (
        await InboxMessage.filter(conversation_id__in=_inside(path), sent_at__gte=since)
        .annotate(newest=Max("id"))
        .group_by("conversation_id")
        .order_by("-newest")
        .limit(limit)
        .values_list("conversation_id", flat=True)
    )
    conversations = await Conversation.filter(id__in=rows)
    addresses = {conversation.id: conversation.address for conversation in conversations}
    return list(dict.fromkeys(addresses[int(str(number))] for number in rows))


@transaction
async def reset(
    path: str, *, readers: Sequence[str], agent_id: int, facts: list[int], now: datetime
) -> int:
    """Let the view of each of the agent's histories begin after its newest message."""
    there = Conversation.filter(_there(path, readers), agent_id=agent_id, last_seq__gt=0)
    conversations = await there.select_for_update()
    await Summary.bulk_create(
        (
            Summary(
                conversation_id=conversation.id,
                upto_seq=conversation.last_seq,
                kind=SummaryKind.RESET,
                text="",
                facts=facts,
                made_at=now,
            )
            for conversation in conversations
        ),
        batch_size=500,
    )
    return len(conversations)


@transaction
async def show_to(readers: str, path: str, *, instead_of: Sequence[str]) -> None:
    """Let these be the readers of every conversation there that has one of `instead_of`."""
    await Conversation.filter(_there(path, instead_of), readers__in=list(instead_of)).update(
        readers=readers
    )


@reading
async def private_among(paths: Sequence[str], *, readers: Sequence[str]) -> set[str]:
    """Those of these addresses at or below which something was said that is for such readers."""
    found = set[str]()
    for start in range(0, len(paths), _AT_ONCE):
        these = Q(*(_there(path) for path in paths[start : start + _AT_ONCE]), join_type=Q.OR)
        rows = Conversation.filter(these, readers__in=list(readers))
        addresses = [f"{address}/" for address in await rows.values_list("address", flat=True)]
        found |= {path for path in paths if any(each.startswith(f"{path}/") for each in addresses)}
    return found


def _inside(path: str, readers: Sequence[str] | None = None) -> Subquery:
    return Subquery(Conversation.filter(_there(path, readers)).values("id"))


def _there(path: str, readers: Sequence[str] | None = None) -> Q:
    """At an address, and below it where those who can read are among `readers`."""
    below = Q(address__startswith=f"{path}/")
    if readers is not None:
        below &= Q(readers__in=list(readers))
    return Q(address=path) | below
