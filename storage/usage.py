"""What an agent's model calls have cost."""

from __future__ import annotations

from datetime import datetime

from tortoise.functions import Sum

from storage.models import Usage
from storage.transaction import reading


@reading
async def nano_usd_since(*, agent_id: int, since: datetime) -> int:
    """The known cost of an agent's calls since then, in 1e-9 US dollars."""
    rows = (
        await Usage.filter(agent_id=agent_id, at__gte=since)
        .annotate(total=Sum("nano_usd"))
        .values("total")
    )
    return int(rows[0]["total"] or 0)
