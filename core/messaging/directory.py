"""The agents of this process by name: those of the agents file, and those that it made itself."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from enum import StrEnum

from core.clock import Clock
from core.config.spec import AgentSpec
from core.errors import ConfigMistake, UserMistake
from core.messaging.bindings import Bindings
from storage import agents, models

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownAgent:
    """An agent with its identity in the database. One that is retired answers nothing more.

    In `queue` its model calls wait, one after the other, for room below its daily_usd.
    """

    id: int
    spec: AgentSpec
    is_retired: bool = False
    queue: asyncio.Lock = field(default_factory=asyncio.Lock, compare=False, repr=False)


class Origin(StrEnum):
    """Whom an agent belongs to: the agents file, a program, or nobody any more."""

    FILE = "file"
    PROGRAM = "program"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An agent in a list of them, with its configuration as JSON knows it."""

    name: str
    origin: Origin
    config: Mapping[str, object]


class Directory:
    """Finds agents. What the code or the agents file says wins over what is on record.

    An agent on record is retired if the newest file that named it was read before that of this
    process, which does not. One that was named later is of a newer process, as in a rolling
    deploy, and one that no file ever named belongs to the program that made it.
    """

    def __init__(self, specs: Iterable[AgentSpec], clock: Clock, *, has_file: bool = True) -> None:
        """`specs` are those of the agents file, read just now, or of the code without a file."""
        self._clock = clock
        self.bindings = Bindings(clock)
        self._made: dict[str, AgentSpec] = {}
        self._known: dict[str, KnownAgent] = {}
        self._unreadable: frozenset[int] = frozenset()
        self._recording: dict[str, asyncio.Event] = {}
        self.read(specs, has_file=has_file)

    def read(self, specs: Iterable[AgentSpec], *, has_file: bool = True) -> None:
        """The agents file has been read (again), and names these."""
        self._named = {spec.name: spec for spec in specs}
        self._read_at = self._clock() if has_file else None
        self._known = {name: known for name, known in self._known.items() if name in self._made}
        self._unreadable = frozenset()

    async def register(self, spec: AgentSpec) -> KnownAgent:
        """Let the agent of this name have this configuration from now on, in this program."""
        self._made[spec.name] = spec
        return await self._record(spec)

    async def find(self, name: str) -> KnownAgent | None:
        """The agent of that name, if this process has one."""
        if known := self._known.get(name):
            return known
        if has_ended := self._recording.get(name):  # whoever else needs it would wait for its row
            await has_ended.wait()
            if known := self._known.get(name):
                return known
        if not (spec := self._spec(name)):
            return None
        has_ended = self._recording.setdefault(name, asyncio.Event())
        try:
            return await self._record(spec)
        finally:
            has_ended.set()
            self._recording.pop(name, None)

    async def recall(self, name: str) -> KnownAgent | None:
        """As `find`, but also an agent that another program made: this one knows it from now on."""
        if known := await self.find(name):
            return known
        row = await agents.by_name(name)
        return self._adopt(row) if row else None

    async def recall_everyone(self) -> None:
        """As `recall`, for all whose configuration this version can read."""
        for row in await agents.everyone():
            with suppress(ConfigMistake):
                self._adopt(row)

    async def get(self, name: str) -> KnownAgent:
        """The agent of that name.

        Raises:
            UserMistake: this process has none; says which there are.
        """
        if known := await self.find(name):
            return known
        names = self.names
        close = get_close_matches(name, names, n=1)
        hint = f"did you mean '{close[0]}'?" if close else f"there are: {', '.join(names)}."
        raise UserMistake(f"There is no agent '{name}'; {hint}")

    @property
    def unreadable(self) -> frozenset[int]:
        """Agents whose record this version could not read: their work is left to another one."""
        return self._unreadable

    async def of(self, agent_id: int) -> KnownAgent:
        """The agent that a conversation belongs to.

        Raises:
            ConfigMistake: this version cannot read its record; the log is told so once.
        """
        for known in self._known.values():
            if known.id == agent_id:
                return known
        row = await agents.by_id(agent_id)
        if found := await self.find(row.name):
            return found
        try:
            return self._on_record(row)
        except ConfigMistake as error:
            if row.id not in self._unreadable:
                self._unreadable |= {row.id}
                log.error(  # noqa: TRY400  # says all
                    "agent cannot be read by this version; it answers nothing here",
                    extra={"agent": row.name, "why": str(error)},
                )
            raise

    @property
    def names(self) -> list[str]:
        """The names of this process's agents, in order."""
        return sorted({*self._made, *self._named})

    async def names_by_id(self) -> dict[int, str]:
        """What every agent on record is called, whoever made it; registers nothing."""
        return {row.id: row.name for row in await agents.everyone()}

    async def everyone(self) -> list[Entry]:
        """Every agent of this process and on record, by name; registers nothing."""
        found = {row.name: self._entry(row) for row in await agents.everyone()}
        for spec in self._named.values():
            found[spec.name] = Entry(name=spec.name, origin=Origin.FILE, config=spec.config)
        return [found[name] for name in sorted(found)]

    async def belongings(self, name: str) -> agents.Belongings:
        """What `remove` would delete besides the agent.

        Raises:
            UserMistake: there is no such agent, or the agents file names it.
        """
        return await agents.belongings(await self._removable(name))

    async def remove(self, name: str) -> None:
        """Delete an agent that the agents file does not name; raises as `belongings`."""
        await agents.remove(await self._removable(name))

    async def _removable(self, name: str) -> int:
        if name in self._named:
            raise UserMistake(f"The agents file names '{name}': take it out there first.")
        row = await agents.by_name(name)
        if row is None:
            raise UserMistake(f"There is no agent '{name}'; `moorings agents` lists them.")
        return row.id

    def _is_retired(self, row: models.Agent) -> bool:
        """Whether the agents file named it and does not any more."""
        if row.name in self._made or row.name in self._named:
            return False
        if row.named_at is None or self._read_at is None:
            return False
        return row.named_at <= self._read_at

    async def _record(self, spec: AgentSpec) -> KnownAgent:
        row = await agents.record(
            name=spec.name,
            revision=spec.fingerprint,
            config=spec.config,
            now=self._clock(),
            named_at=None if spec.name in self._made else self._read_at,
        )
        known = KnownAgent(id=row.id, spec=spec)
        if self._spec(spec.name) is spec:  # no other one was read or made meanwhile
            self._known[spec.name] = known
        return known

    def _spec(self, name: str) -> AgentSpec | None:
        return self._made.get(name) or self._named.get(name)

    def _entry(self, row: models.Agent) -> Entry:
        origin = Origin.RETIRED if self._is_retired(row) else Origin.PROGRAM
        return Entry(name=row.name, origin=origin, config=row.config)

    def _adopt(self, row: models.Agent) -> KnownAgent | None:
        if row.name in self._named or self._is_retired(row):
            return None
        self._known[row.name] = known = self._on_record(row)
        self._made[row.name] = known.spec
        return known

    def _on_record(self, row: models.Agent) -> KnownAgent:
        known = KnownAgent(id=row.id, spec=AgentSpec.from_config(row.name, row.config))
        return replace(known, is_retired=self._is_retired(row))
