"""Which agent answers at an address, as people have chosen it in chat."""

from __future__ import annotations

from datetime import datetime

from tortoise.expressions import Q

from storage.drivers.transaction import reading, transaction
from storage.models import Binding


@transaction
async def bind(
    *, at: str, agent: str, listen: str, conversation: str, made_by: str, now: datetime
) -> None:
    """Let this agent answer at the address and below it."""
    await Binding.update_or_create(  # pyright: ignore[reportUnknownMemberType]  # Tortoise says dict, not of what
        at=at,
        defaults={
            "agent": agent,
            "listen": listen,
            "conversation": conversation,
            "made_by": made_by,
            "made_at": now,
        },
    )


@reading
async def among(paths: tuple[str, ...]) -> list[Binding]:
    """The bindings at any of these paths."""
    return await Binding.filter(at__in=list(paths))


@reading
async def below(path: str) -> list[Binding]:
    """The bindings at this path and below it, in the order of their addresses."""
    return await Binding.filter(Q(at=path) | Q(at__startswith=f"{path}/")).order_by("at")
