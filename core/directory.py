"""The agents of this process by name: those of the agents file, and those the database knows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches

from core.clock import Clock
from core.errors import UserMistake
from core.spec import AgentSpec
from storage import agents


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownAgent:
    """An agent with its identity in the database."""

    id: int
    spec: AgentSpec


class Directory:
    """Finds agents. What the code or the agents file says wins over what is on record."""

    def __init__(self, specs: Iterable[AgentSpec], clock: Clock) -> None:
        self._specs = {spec.name: spec for spec in specs}
        self._clock = clock
        self._known: dict[str, KnownAgent] = {}

    async def register(self, spec: AgentSpec) -> KnownAgent:
        """Let the agent of this name have this configuration from now on."""
        row = await agents.record(
            name=spec.name, revision=spec.fingerprint, config=spec.config, now=self._clock()
        )
        known = KnownAgent(id=row.id, spec=spec)
        self._specs[spec.name] = spec
        self._known[spec.name] = known
        return known

    async def find(self, name: str) -> KnownAgent | None:
        """The agent of that name, if there is one."""
        if known := self._known.get(name):
            return known
        if spec := self._specs.get(name):
            return await self.register(spec)
        if row := await agents.by_name(name):
            return KnownAgent(id=row.id, spec=AgentSpec.from_config(row.name, row.config))
        return None

    async def get(self, name: str) -> KnownAgent:
        """The agent of that name.

        Raises:
            UserMistake: there is none; says which there are.
        """
        if known := await self.find(name):
            return known
        names = await self.names()
        close = get_close_matches(name, names, n=1)
        hint = f"did you mean '{close[0]}'?" if close else f"there are: {', '.join(names)}."
        raise UserMistake(f"There is no agent '{name}'; {hint}")

    async def of(self, agent_id: int) -> KnownAgent:
        """The agent that a conversation belongs to."""
        for known in self._known.values():
            if known.id == agent_id:
                return known
        row = await agents.by_id(agent_id)
        if spec := self._specs.get(row.name):
            return await self.register(spec)
        return KnownAgent(id=row.id, spec=AgentSpec.from_config(row.name, row.config))

    async def everyone(self) -> list[KnownAgent]:
        """Every agent, in the order of their names."""
        found = [await self.find(name) for name in await self.names()]
        return [known for known in found if known]

    async def names(self) -> list[str]:
        """Every agent's name, in order."""
        recorded = [row.name for row in await agents.everyone()]
        return sorted({*self._specs, *recorded})
