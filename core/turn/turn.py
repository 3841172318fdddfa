"""A turn while it is being answered: what everything that is done for it shares."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from functools import cached_property

from core import faults
from core.adapter import Adapter
from core.address import Address
from core.budget import Price
from core.clock import Clock
from core.directory import Directory, KnownAgent
from core.files import Files
from core.llm import ChatModel
from core.spec import AgentSpec
from core.tools import ToolContext
from core.tools.toolbox import Toolbox
from core.turn.company import Company
from core.turn.deliver import Visible
from core.turn.hold import Hold
from core.turn.journal import Journal, ModelStep, ToolStep
from core.turn.reply import Reply
from storage import turns
from storage.models import InboxMessage, StepKind
from storage.turns import FinishedStep, OpenTurn, Spent


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What a process answers with: models, tools and prices by agent, and whose work it takes over.

    `attending` bounds how many conversations all workers of a process attend to at once: more
    than a database can serve would only lose their leases while they wait for it.
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
    company: Company


class Turn:
    """One answer to waiting messages of one conversation, in the hands of this process."""

    def __init__(
        self,
        resources: Resources,
        hold: Hold,
        adapter: Adapter,
        agent: KnownAgent,
        opened: OpenTurn,
    ) -> None:
        self.resources = resources
        self.hold = hold
        self.adapter = adapter
        self.agent = agent
        self.opened = opened
        self.journal = Journal(opened.steps)
        self.files = Files()
        message = Visible(hold, adapter, opened.draft, agent.spec.name)
        self.reply = Reply(adapter, message, asked_by=self.asked.author_id)
        self.reply.text = self.journal.text  # what whoever worked on it before has shown

    @cached_property
    def model(self) -> ChatModel:
        """Whom to ask; raises ModelRefused or ConfigMistake as `model_of` does."""
        return self.resources.model_of(self.agent.spec)

    @cached_property
    def toolbox(self) -> Toolbox:
        """What the model can call; raises ConfigMistake as `toolbox_of` does."""
        return self.resources.toolbox_of(self.agent.spec)

    @property
    def asked(self) -> InboxMessage:
        """The last of the messages that it answers: the answer stands where this one does."""
        return self.opened.questions[-1]

    @property
    def attempt(self) -> int:
        """Which attempt since the last finished step this is, from 1."""
        has_progressed = self.journal.next_number > len(self.opened.steps) + 1
        return 1 if has_progressed else max(self.opened.turn.attempts, 1)

    @property
    def tool_context(self) -> ToolContext:
        """Where the next tool is called from."""
        address = Address.parse(self.hold.lease.address, self.hold.lease.readers)
        return ToolContext(
            idempotency_key=f"{self.opened.draft.key}.{self.journal.next_number}",
            agent_id=self.agent.id,
            conversation_id=self.hold.lease.conversation_id,
            scope=address.scope,
            author=self.asked.author,
            source_key=self.asked.key,
            now=self.hold.now(),
        )

    async def record(
        self, kind: StepKind, step: ModelStep | ToolStep, spent: Spent | None = None
    ) -> None:
        """Keep a finished step, before anything depends on it.

        Raises:
            LeaseLost: somebody else runs this turn now.
        """
        finished = FinishedStep(
            turn_id=self.opened.turn.id,
            number=self.journal.next_number,
            kind=kind,
            content=asdict(step),
            spent=spent,
        )
        await self.hold.insist(
            lambda is_again: turns.record(
                self.hold.lease, finished, self.hold.now(), is_again=is_again
            )
        )
        self.journal.add(step)
        faults.reach("step journalled")
