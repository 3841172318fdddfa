"""What somebody at a terminal does with an agent: ask it, and hear what it still owes."""

from __future__ import annotations

from bots.terminal import parse
from bots.terminal.parse import Seat
from core.commands.agent import Commands
from core.messaging.adapter import Adapter
from core.messaging.intake import Accepted
from core.messaging.messages import RoutedMessage
from core.runtime import Runtime
from core.turn.answer import answer_to, settle
from core.turn.resources import Answer


class Talk:
    """One person in one room, with any agent."""

    def __init__(self, runtime: Runtime, seat: Seat, adapter: Adapter) -> None:
        self.seat = seat
        self.clock = runtime.clock
        self.commands = Commands(runtime.directory, runtime.agents_file, runtime.clock)
        self.worker = runtime.worker({seat.address.platform: adapter})
        self._intake = runtime.intake

    async def agent_here(self) -> str:
        """The agent that answers in this room unless another one is named."""
        return await self.commands.agent_at(self.seat.address)

    def message(self, text: str) -> RoutedMessage:
        """What the person says now."""
        return parse.incoming(text, self.seat, self.clock())

    async def accept(self, incoming: RoutedMessage, agent: str) -> Accepted:
        """Store what was said; from here on it survives everything."""
        return await self._intake.accept(incoming, agent)

    async def answer(self, accepted: Accepted) -> Answer:
        """Wait for the answer; the adapter shows it."""
        return await answer_to(accepted, self.worker)

    async def settle(self, agent: str) -> None:
        """Let the agent answer and deliver what an earlier process left in this room."""
        unfinished = await self.commands.unfinished(self.seat.address, agent)
        if unfinished is not None:
            await settle(unfinished, self.worker)
