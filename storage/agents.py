"""Agents by name, with every configuration that each has had."""

from __future__ import annotations

from datetime import datetime

from tortoise.exceptions import IntegrityError

from storage.models import Agent, Revision
from storage.transaction import reading, transaction


async def record(*, name: str, revision: str, config: dict[str, object], now: datetime) -> Agent:
    """Make the agent, or give it this configuration; the earlier ones stay on record."""
    try:
        return await _record(name, revision, config, now)
    except IntegrityError:  # made by another process meanwhile
        return await _record(name, revision, config, now)


@transaction
async def _record(name: str, revision: str, config: dict[str, object], now: datetime) -> Agent:
    agent = await Agent.get_or_none(name=name)
    if agent is None:
        agent = await Agent.create(
            name=name, revision=revision, config=config, created_at=now, updated_at=now
        )
    elif agent.revision != revision or agent.config != config:
        await Agent.filter(id=agent.id).update(revision=revision, config=config, updated_at=now)
    if not await Revision.exists(agent_id=agent.id, fingerprint=revision):
        await Revision.create(
            agent_id=agent.id, fingerprint=revision, config=config, first_seen_at=now
        )
    return await Agent.get(id=agent.id)


@reading
async def by_name(name: str) -> Agent | None:
    """The agent of that name, if there is one."""
    return await Agent.get_or_none(name=name)


@reading
async def by_id(agent_id: int) -> Agent:
    """The agent that a conversation belongs to."""
    return await Agent.get(id=agent_id)


@reading
async def everyone() -> list[Agent]:
    """All agents by name."""
    return await Agent.all().order_by("name")
