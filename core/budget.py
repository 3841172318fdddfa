"""What an agent may spend a day, and whether it has."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, time

from core.directory import KnownAgent
from core.errors import ModelRefused
from core.llm import TokenUsage
from storage import usage

Price = Callable[[str, TokenUsage], int | None]  # a model's name and its tokens to 1e-9 US dollars


async def check_budget(agent: KnownAgent, now: datetime) -> None:
    """Make sure that today's known cost is below the agent's daily_usd.

    Raises:
        ModelRefused: it is spent; a day begins at 00:00 UTC.
    """
    if agent.spec.daily_usd is None:
        return
    today = datetime.combine(now.astimezone(UTC), time.min, UTC)
    spent = await usage.nano_usd_since(agent_id=agent.id, since=today) / 1e9
    if spent >= agent.spec.daily_usd:
        raise ModelRefused(
            f"agent {agent.spec.name} has spent ${spent:.2f} of daily_usd = {agent.spec.daily_usd}",
            told="I have used up my budget for today. Please ask again tomorrow (after 00:00 UTC), "
            "or ask whoever runs me to raise daily_usd.",
        )
