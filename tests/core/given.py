"""What the tests of core begin with: a stage with real storage and a scripted model."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from core.address import Address
from core.config import agents_file
from core.config.agents_file import AgentsFile
from core.config.spec import AgentSpec
from core.llm import ChatModel, TokenUsage
from core.llm.pricing import Price
from core.messaging.access import Gate
from core.messaging.adapter import Adapter
from core.messaging.directory import Directory, KnownAgent
from core.messaging.earlier import Earlier
from core.messaging.intake import Accepted, Intake
from core.messaging.messages import Attachment, Author, RoutedMessage
from core.tools import Tool, ToolContext
from core.tools.toolbox import Toolbox
from core.turn.grown_histories import Grown
from core.turn.held_lease import HeldLease
from core.turn.quarantine import Quarantine
from core.turn.resources import Resources
from core.turn.turn import Turn
from core.turn.worker import Worker
from storage import agents, claims, conversations, facts, summaries
from storage.claims import OpenTurn, Plan
from storage.facts import Statement
from storage.lease import Lease
from storage.models import Conversation, Fact, Message, Summary
from tests.peers.model import ScriptedModel
from tests.peers.platform import Platform

ROOM = "slack/T1/C1"


async def _nothing() -> None:
    """Nobody has died."""


class Hands:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.at = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        """Each look is a millisecond later, so that what is said later is later."""
        self.at += timedelta(milliseconds=1)
        return self.at

    def forward(self, seconds: float) -> None:
        """Let that much time pass."""
        self.at += timedelta(seconds=seconds)


@dataclass(kw_only=True)
class Stage:
    """One process with one agent, on one platform."""

    spec: AgentSpec = field(
        default_factory=lambda: AgentSpec(name="Ada", instructions="Be brief.", tools=())
    )
    model: ScriptedModel = field(default_factory=ScriptedModel)
    platform: Platform = field(default_factory=Platform)
    adapters: Mapping[str, Adapter] = field(default_factory=dict[str, Adapter])
    clock: Hands = field(default_factory=Hands)
    tools: list[Tool] = field(default_factory=list[Tool])
    lease_seconds: float = 15
    price: int | Price | None = None
    owner: str = "me"
    attending: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(9))
    said: int = 0
    answering: ChatModel | None = None  # in place of `model`
    toolbox_of: Callable[[AgentSpec], Toolbox] | None = None  # in place of `tools`
    file: AgentsFile = field(default_factory=lambda: agents_file.read(None))

    def __post_init__(self) -> None:
        self.directory = Directory([self.spec], self.clock)
        self.gate = Gate(self.file, self.clock)
        self.intake = Intake(self.directory, self.clock, self.gate)
        self.quarantine = Quarantine(calm_seconds=0)
        self.grown = Grown()

    def worker(
        self,
        *,
        slots: int = 32,
        owner: str | None = None,
        take_over: Callable[[], Awaitable[None]] = _nothing,
    ) -> Worker:
        """A worker that answers on the platform."""
        resources = self.resources(owner=owner, take_over=take_over)
        return Worker(resources, self.adapters or {"slack": self.platform}, slots=slots)

    def resources(
        self, *, owner: str | None = None, take_over: Callable[[], Awaitable[None]] = _nothing
    ) -> Resources:
        """What a process answers with."""
        self.grown.is_watched = True  # by tests that want it
        return Resources(
            owner=owner or self.owner,
            directory=self.directory,
            model_of=self._model_of,
            toolbox_of=self.toolbox_of or (lambda _: Toolbox(self.tools)),
            price=self._price,
            clock=self.clock,
            lease_seconds=self.lease_seconds,
            take_over=take_over,
            attending=self.attending,
            quarantine=self.quarantine,
            grown=self.grown,
            earlier=Earlier(self.gate, self.directory, self.file),
        )

    async def say(
        self,
        text: str,
        *,
        author: str = "ana",
        room: str = ROOM,
        agent: str | None = None,
        reply_to: str | None = None,
        files: Sequence[Attachment] = (),
    ) -> Accepted:
        """Somebody writes, and it is stored."""
        self.said += 1
        incoming = RoutedMessage(
            key=f"{room}/{self.said}",
            address=Address.parse(room),
            author=Author(id=author, name=author),
            text=text,
            sent_at=self.clock(),
            position=self.said,
            reply_to=reply_to or f"q/{self.said}",
            attachments=tuple(files),
        )
        return await self.intake.accept(incoming, agent or self.spec.name)

    async def agent(self) -> KnownAgent:
        """The agent, with its identity."""
        return await self.directory.get(self.spec.name)

    async def conversation(self, room: str = ROOM) -> Conversation:
        """The agent's conversation there."""
        found = await conversations.find(agent_id=(await self.agent()).id, address=room)
        assert found
        return found

    async def lease(self, room: str = ROOM) -> Lease:
        """The lease on the conversation there."""
        claimed = await claims.claim(
            conversation_id=(await self.conversation(room)).id,
            owner=self.owner,
            now=self.clock(),
            seconds=self.lease_seconds,
            plan=None,
        )
        assert claimed
        return claimed.lease

    async def hold(self, room: str = ROOM) -> HeldLease:
        """The conversation there, held."""
        return HeldLease(await self.lease(room), self.clock)

    async def opened(self, hold: HeldLease) -> OpenTurn:
        """The turn over what waits there."""
        plan = Plan(revision=self.spec.fingerprint, room=40_000)
        turn = await claims.open_next(hold.lease, plan=plan, now=self.clock())
        assert turn
        return turn

    async def turn(self, hold: HeldLease, opened: OpenTurn | None = None) -> Turn:
        """The turn over what waits there, in the hands of this process."""
        opened = opened or await self.opened(hold)
        return Turn(self.resources(), hold, self.platform, await self.agent(), opened)

    async def remember(self, text: str, *, room: str = ROOM) -> Fact:
        """A fact that the agent knows there."""
        self.said += 1
        return await facts.add(
            Statement(
                key=f"fact {self.said}",
                agent_id=(await self.agent()).id,
                scope=Address.parse(room).scope,
                text=text,
                said_by="ana",
                source_key="q1",
                said_at=self.clock(),
            )
        )

    async def history(self, room: str = ROOM) -> list[tuple[str, str]]:
        """Author and text of every message there."""
        rows = Message.filter(conversation_id=(await self.conversation(room)).id)
        return [(row.author, row.text) for row in await rows.order_by("seq")]

    async def cuts(self, room: str = ROOM) -> list[Summary]:
        """Every place where the view of the history was made to begin later."""
        rows = Summary.filter(conversation_id=(await self.conversation(room)).id)
        return await rows.order_by("id")

    async def newest_cut(self, room: str = ROOM) -> Summary | None:
        """Where the view of the history begins."""
        return await summaries.newest((await self.conversation(room)).id)

    def _model_of(self, _: AgentSpec) -> ChatModel:
        return self.answering or self.model

    def _price(self, _: str, usage: TokenUsage) -> int | None:
        return self.price.nano_usd(usage) if isinstance(self.price, Price) else self.price


async def of_a_later_version(stage: Stage) -> int:
    """A conversation that waits for an agent whose configuration nobody here can read."""
    other = Stage(spec=AgentSpec(name="Zed"), clock=stage.clock)
    waiting = await other.say("Hello", room="slack/T1/C9")
    await agents.record(name="Zed", revision="r2", config={"window_tokens": 1}, now=stage.clock())
    return waiting.conversation_id


def tool(name: str, run: Callable[[ToolContext], str]) -> Tool:
    """A tool without parameters."""

    async def ran(_: Mapping[str, object], context: ToolContext) -> str:
        return run(context)

    return Tool(name=name, description="", parameters={"type": "object"}, run=ran)


@contextmanager
def locked(file: Path | None) -> Iterator[None]:
    """Another program writes to the database file, and takes its time."""
    assert file
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield


@contextmanager
def broken(file: Path | None) -> Iterator[None]:
    """Somebody takes the table of conversations away, and puts it back at the end."""
    assert file
    with closing(sqlite3.connect(file)) as other:
        other.execute("ALTER TABLE conversation RENAME TO gone")
        yield
        other.execute("ALTER TABLE gone RENAME TO conversation")
