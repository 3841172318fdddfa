"""Agents by name, with every configuration that each has had."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from tortoise.exceptions import IntegrityError
from tortoise.expressions import Subquery

from storage.derived import Passage
from storage.drivers.transaction import reading, transaction
from storage.models import (
    Agent,
    Binding,
    Conversation,
    Fact,
    Feedback,
    InboxMessage,
    Message,
    OutboxMessage,
    Reservation,
    Revision,
    Step,
    Summary,
    Turn,
    Usage,
)
from storage.side_models import Compaction, Source

_MOST = 100  # turns in one transaction: SQLite lets nobody else write meanwhile


@dataclass(frozen=True, slots=True, kw_only=True)
class Belongings:
    """What goes with an agent."""

    conversations: int
    messages: int
    facts: int


async def record(
    *,
    name: str,
    revision: str,
    config: dict[str, object],
    now: datetime,
    named_at: datetime | None = None,
) -> Agent:
    """Make the agent, or give it this configuration; the earlier ones stay on record.

    `named_at` is when the agents file that names the agent was read; None if no file names it.
    """
    try:
        return await _record(name, revision, config, now, named_at)
    except IntegrityError:  # made by another process meanwhile
        return await _record(name, revision, config, now, named_at)


@transaction
async def _record(
    name: str, revision: str, config: dict[str, object], now: datetime, named_at: datetime | None
) -> Agent:
    agent = await Agent.get_or_none(name=name)
    if agent is None:
        agent = await Agent.create(
            name=name,
            revision=revision,
            config=config,
            created_at=now,
            updated_at=now,
            named_at=named_at,
        )
    elif (agent.revision, agent.config, agent.named_at) != (revision, config, named_at):
        await Agent.filter(id=agent.id).update(
            revision=revision, config=config, updated_at=now, named_at=named_at
        )
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


@reading
async def belongings(agent_id: int) -> Belongings:
    """What `remove` would delete besides the agent."""
    return Belongings(
        conversations=await Conversation.filter(agent_id=agent_id).count(),
        messages=await Message.filter(conversation_id__in=_talks(agent_id)).count(),
        facts=await Fact.filter(agent_id=agent_id).count(),
    )


async def remove(agent_id: int) -> None:
    """Delete the agent with everything that it was told and said.

    A bounded number of turns goes in each transaction, the agent in the last one: whoever is
    killed in the middle removes it once more.
    """
    while await _remove_turns(agent_id):
        pass
    await _remove_rest(agent_id)


@transaction
async def _remove_turns(agent_id: int) -> bool:
    """Delete the next turns; False if there were none."""
    turns = Turn.filter(conversation_id__in=_talks(agent_id)).order_by("id").limit(_MOST)
    ids = await turns.values_list("id", flat=True)
    if not ids:
        return False
    await Step.filter(turn_id__in=ids).delete()
    await OutboxMessage.filter(turn_id__in=ids).delete()
    await InboxMessage.filter(turn_id__in=ids).delete()
    await Message.filter(turn_id__in=ids).delete()
    await Passage.filter(turn_id__in=ids).delete()
    await Usage.filter(turn_id__in=ids).delete()
    await Feedback.filter(turn_id__in=ids).delete()
    await Turn.filter(id__in=ids).delete()
    return True


@transaction
async def _remove_rest(agent_id: int) -> None:
    await Agent.filter(id=agent_id).select_for_update().only("id")  # nothing is opened meanwhile
    await InboxMessage.filter(conversation_id__in=_talks(agent_id)).delete()
    await Compaction.filter(agent_id=agent_id).delete()  # none is finished after that
    await Summary.filter(conversation_id__in=_talks(agent_id)).delete()
    await Passage.filter(conversation_id__in=_talks(agent_id)).delete()
    await Conversation.filter(agent_id=agent_id).delete()
    theirs = Fact.filter(agent_id=agent_id).values("id")
    await Source.filter(fact_id__in=Subquery(theirs)).delete()
    await Fact.filter(agent_id=agent_id).delete()
    await Reservation.filter(agent_id=agent_id).delete()
    await Revision.filter(agent_id=agent_id).delete()
    names = Agent.filter(id=agent_id).values("name")
    await Binding.filter(agent__in=Subquery(names)).delete()
    await Agent.filter(id=agent_id).delete()


def _talks(agent_id: int) -> Subquery:
    return Subquery(Conversation.filter(agent_id=agent_id).values("id"))
