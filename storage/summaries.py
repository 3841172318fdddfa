"""Where the model's view of a history begins, and what stands in for what came before."""

from __future__ import annotations

from datetime import datetime

from storage.models import Conversation, Summary, SummaryKind
from storage.transaction import reading, transaction


@reading
async def newest(conversation_id: int) -> Summary | None:
    """The one that holds now."""
    return (
        await Summary.filter(conversation_id=conversation_id).order_by("-upto_seq", "-id").first()
    )


@transaction
async def add(
    *,
    conversation_id: int,
    upto_seq: int | None,
    kind: SummaryKind,
    text: str,
    facts: list[int],
    now: datetime,
) -> Summary:
    """Let the view begin after message `upto_seq` (None: after the newest)."""
    if upto_seq is None:
        upto_seq = (await Conversation.get(id=conversation_id)).last_seq
    return await Summary.create(
        conversation_id=conversation_id,
        upto_seq=upto_seq,
        kind=kind,
        text=text,
        facts=facts,
        made_at=now,
    )
