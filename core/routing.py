"""Which agent answers at an address: the longest binding wins, the agents file before chat."""

from __future__ import annotations

from core.address import Address
from core.agents_file import AgentsFile
from storage import bindings


async def agent_at(address: Address, file: AgentsFile) -> str:
    """The name of the agent that is bound to this address, or the default agent's."""
    prefixes = address.prefixes
    chosen = {binding.at: binding.agent for binding in await bindings.among(prefixes)}
    chosen |= {binding.at.key: binding.agent for binding in file.bindings}
    return next((chosen[at] for at in prefixes if at in chosen), file.default_agent)
