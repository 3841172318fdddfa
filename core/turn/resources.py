"""What a process answers with, shared by all of its turns."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from core.clock import Clock
from core.config.spec import AgentSpec
from core.context.decide import room_together
from core.context.history import Histories
from core.errors import MooringsError
from core.llm import ChatModel
from core.messaging.directory import Directory
from core.messaging.earlier import Earlier
from core.tools.toolbox import Toolbox
from core.turn.budget import Price
from core.turn.grown_histories import Grown
from core.turn.quarantine import Quarantine
from storage.claims import Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a message was answered with; `is_failure` where it is a sentence about why not."""

    turn_id: int
    text: str
    is_failure: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What a process answers with: models, tools and prices by agent, and whose work it takes over.

    `attending` bounds how many conversations all workers of a process attend to at once: more
    than a database can serve would only lose their leases while they wait for it. `attended` are
    those, each with the end of it. `awaited` are the answers that somebody of this process waits
    for, by the message's key, once they have been delivered. `grown` are histories to be compacted,
    `histories` those that are known by heart.
    """

    owner: str
    directory: Directory
    model_of: Callable[[AgentSpec], ChatModel]
    toolbox_of: Callable[[AgentSpec], Toolbox]
    price: Price
    clock: Clock
    lease_seconds: float
    take_over: Callable[[], Awaitable[None]]
    attending: asyncio.Semaphore
    quarantine: Quarantine
    earlier: Earlier
    grown: Grown = field(default_factory=Grown)
    histories: Histories = field(default_factory=Histories)
    attended: dict[int, asyncio.Event] = field(default_factory=dict[int, asyncio.Event])
    awaited: dict[str, Answer | None] = field(default_factory=dict[str, Answer | None])

    def window_of(self, spec: AgentSpec) -> int:
        """Tokens of a prompt: what the agent may be shown, or less where its model takes less."""
        try:
            known = self.model_of(spec).window
        except MooringsError:  # told when the turn is answered
            known = None
        return min(spec.window_tokens, known or spec.window_tokens)

    def plan_of(self, spec: AgentSpec) -> Plan:
        """How this agent's turns are opened."""
        return Plan(revision=spec.fingerprint, room=room_together(self.window_of(spec)))
