"""Where the model's view of a history begins, and what stands in for what came before."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from storage.drivers.script import Script, changed, reading_script, script, select, whole
from storage.drivers.transaction import transaction
from storage.lease import Lease, held
from storage.models import Conversation, Summary, SummaryKind

_NEWEST = f"{select(Summary)} WHERE conversation_id = ? ORDER BY upto_seq DESC, id DESC LIMIT 1"


@reading_script
def newest(conversation_id: int) -> Script[Summary | None]:
    """The one that holds now."""
    found = yield from whole(Summary, _NEWEST, conversation_id)
    return found[0] if found else None


_CUT = (
    "INSERT INTO summary (conversation_id, upto_seq, kind, text, facts, made_at)"
    " SELECT id, ?, ?, ?, ?, ? FROM conversation WHERE id = ? AND NOT EXISTS"
    " (SELECT id FROM summary WHERE summary.conversation_id = conversation.id AND summary.id > ?)"
)


@script
def cut(
    lease: Lease,
    *,
    seen: int | None,
    upto_seq: int,
    text: str,
    facts: Sequence[int],
    now: datetime,
) -> Script[None]:
    """Let the view begin after message `upto_seq`, for good.

    `seen` is the one that held when that was decided, if there was any. If a newer one has come, as
    by a reset or a compaction, that one holds: `text` may be what it has put an end to.

    Raises:
        LeaseLost: somebody else has claimed the conversation since.
    """
    yield from held(lease)
    what = (upto_seq, SummaryKind.CUT, text, list(facts), now)
    yield from changed(_CUT, *what, lease.conversation_id, seen or 0)


@transaction
async def reset(conversation_id: int, *, facts: Sequence[int], now: datetime) -> None:
    """Let the view begin after the newest message: a person wants it so, whoever has the lease."""
    conversation = await Conversation.select_for_update().get(id=conversation_id)
    await Summary.create(
        conversation_id=conversation_id,
        upto_seq=conversation.last_seq,
        kind=SummaryKind.RESET,
        text="",
        facts=list(facts),
        made_at=now,
    )
