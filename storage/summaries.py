"""Where the model's view of a history begins, and what stands in for what came before."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from storage.drivers.script import Script, reading_script, select, whole
from storage.drivers.transaction import transaction, write_first
from storage.lease import Lease, fence
from storage.models import Conversation, Summary, SummaryKind

_NEWEST = f"{select(Summary)} WHERE conversation_id = ? ORDER BY upto_seq DESC, id DESC LIMIT 1"


@reading_script
def newest(conversation_id: int) -> Script[Summary | None]:
    """The one that holds now."""
    found = yield from whole(Summary, _NEWEST, conversation_id)
    return found[0] if found else None


@write_first
async def cut(
    lease: Lease, *, upto_seq: int, text: str, facts: Sequence[int], now: datetime
) -> None:
    """Let the view begin after message `upto_seq`, for good.

    Raises:
        LeaseLost: somebody else has claimed the conversation since.
    """
    await fence(lease, now)
    await Summary.create(
        conversation_id=lease.conversation_id,
        upto_seq=upto_seq,
        kind=SummaryKind.CUT,
        text=text,
        facts=list(facts),
        made_at=now,
    )


@transaction
async def reset(conversation_id: int, *, facts: Sequence[int], now: datetime) -> None:
    """Let the view begin after the newest message: a person wants it so, whoever has the lease."""
    conversation = await Conversation.get(id=conversation_id)
    await Summary.create(
        conversation_id=conversation_id,
        upto_seq=conversation.last_seq,
        kind=SummaryKind.RESET,
        text="",
        facts=list(facts),
        made_at=now,
    )
