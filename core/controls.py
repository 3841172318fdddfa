"""What people press below an answer: stop it, or say whether it was good."""

from __future__ import annotations

from core.address import Address
from core.clock import Clock
from core.worker import Worker
from storage import places, turns
from storage.models import Turn


class Controls:
    """Answers are known by the key that an adapter was given with them."""

    def __init__(self, worker: Worker, clock: Clock) -> None:
        self._worker = worker
        self._clock = clock

    async def stop(self, key: str) -> bool:
        """Stop the answer, whichever process writes it; False if it is not being written."""
        turn = await turns.by_outbox_key(key)
        return turn is not None and await self._stop(turn)

    async def stop_below(self, address: Address) -> int:
        """Stop every answer that is being written there; returns how many."""
        running = await places.running(address.key)
        return sum([await self._stop(turn) for turn in running])

    async def judge(self, key: str, *, person: str, is_good: bool) -> bool:
        """Store what a person thinks of the answer; False if nobody knows it."""
        turn = await turns.by_outbox_key(key)
        if turn is None:
            return False
        await turns.judge(turn.id, person=person, is_good=is_good, now=self._clock())
        return True

    async def _stop(self, turn: Turn) -> bool:
        if not await turns.ask_to_stop(turn.id, self._clock()):
            return False
        self._worker.interrupt(turn.conversation_id)
        return True
