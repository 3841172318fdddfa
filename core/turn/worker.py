"""Claims conversations that have work, runs their turns, and takes over what others left."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial

from core.address import Address
from core.clock import monotonic
from core.errors import ConfigMistake
from core.messaging.adapter import Adapter
from core.turn.backlog import Backlog
from core.turn.compactor import Compactor
from core.turn.held_lease import HeldLease
from core.turn.resources import Resources
from core.turn.serving import Serving
from core.turn.shares import Shares
from core.turn.stops import Stops
from storage import claims, conversations
from storage.conversations import Apart, Ready
from storage.errors import StorageError

log = logging.getLogger(__name__)

_POLL_SECONDS = 1.0
_CONTESTED_SECONDS = 0.05
# For so long after another process was quicker, those that look choose at random among so many, or
# twice as many as they want: among fewer, processes take the same, and more are slow to read.
_SPREAD_SECONDS = 1.0
_WINDOW = 128


class Worker:
    """One turn at a time in a conversation, many conversations at once."""

    def __init__(
        self, resources: Resources, adapters: Mapping[str, Adapter], *, slots: int = 32
    ) -> None:
        """Answers go out through the adapter of their platform."""
        self._resources = resources
        self._adapters = adapters
        self._stops = Stops()
        self._shares = Shares(slots)
        self._wakened = asyncio.Event()
        self._draining = asyncio.Event()
        self._is_looking = False
        self._claiming = set[int]()  # conversations
        self._spread_until = 0.0
        self.awaited = resources.awaited
        self.backlog = Backlog(self.wake)

    async def check(self) -> None:
        """Raise ConnectionError while nobody looks for work here."""
        if not self._is_looking:
            raise ConnectionError("the worker does not look for work")

    def wake(self, conversation_id: int | None = None) -> None:
        """Look for work now instead of at the next poll; here, if that is known."""
        self._wakened.set()
        if conversation_id is not None:
            self._stops.came(conversation_id)

    def edited(self, key: str) -> None:
        """Begin the answer to this message again, if it is being written here."""
        self._stops.edited(key)

    def interrupt(self, conversation_id: int, *, asked: str | None = None) -> bool:
        """Stop the answer being written there; what was shown stands. False if there is none.

        With the key of a message, only an answer to that message is stopped.
        """
        return self._stops.stop(conversation_id, asked=asked)

    async def run(self, queues: Sequence[str], stop: asyncio.Event, drain_seconds: float) -> None:
        """Serve these queues until `stop`; then let running turns finish for a bounded time.

        What does not finish is handed over: another process goes on at once.
        """
        self.backlog.begin()
        async with asyncio.TaskGroup() as group:
            serving: set[asyncio.Task[bool]] = set()
            looking = group.create_task(self._look(queues, stop, group, serving))
            compacting = group.create_task(Compactor(self._resources).run(stop))
            await stop.wait()
            self._is_looking = False
            self._draining.set()
            self.wake()
            with suppress(TimeoutError):
                async with asyncio.timeout(drain_seconds):
                    await _drained(looking, serving)
            for task in (looking, compacting, *serving):
                task.cancel()

    async def _look(
        self,
        queues: Sequence[str],
        stop: asyncio.Event,
        group: asyncio.TaskGroup,
        serving: set[asyncio.Task[bool]],
    ) -> None:
        """Begin whatever waits, until `stop`. What a last look finds is given back at once."""
        self._is_looking = True
        while not stop.is_set():
            self._wakened.clear()
            while await self._begin(queues, group, serving) and not stop.is_set():
                pass
            await self._rest()

    async def attend(self, conversation_id: int, agent_id: int | None = None) -> bool:
        """Serve this one conversation now; False if it has no work or somebody else has it.

        Whoever does not know whose it is leaves `agent_id` out.

        Raises:
            DatabaseBusy, DatabaseUnusable: the work stays where it is, for a later claim.
            ConfigMistake: the agent's record cannot be read here.
        """
        attended = self._resources.attended
        if conversation_id in attended:  # by another task of this process: no need to look
            await attended[conversation_id].wait()
            return True
        if (
            self._resources.quarantine.is_within
        ):  # a tool asks an agent: its turn has a place already
            return await self._attend(conversation_id, agent_id)
        async with self._resources.attending:
            has_worked = await self._attend(conversation_id, agent_id)
        if not self._resources.grown.is_watched:  # the answer is delivered already
            await Compactor(self._resources).settle()
        return has_worked

    async def _attend(self, conversation_id: int, agent_id: int | None) -> bool:
        ended = self._resources.attended.setdefault(conversation_id, asyncio.Event())
        try:
            if agent_id is None:
                agent_id = (await conversations.by_id(conversation_id)).agent_id
            await self._resources.take_over()
            serving = await self._claimed(conversation_id, agent_id)
            if serving:
                await serving.run()
            return serving is not None
        finally:
            self._resources.attended.pop(conversation_id, None)
            ended.set()

    async def _claimed(self, conversation_id: int, agent_id: int) -> Serving | None:
        """Who serves it, with its next turn opened; None if it has no work or is served already."""
        resources = self._resources
        agent = await resources.directory.of(agent_id)
        claimed_at = monotonic()
        claimed = await claims.claim(
            conversation_id=conversation_id,
            owner=resources.owner,
            now=resources.clock(),
            seconds=resources.lease_seconds,
            plan=None if self._draining.is_set() else resources.plan_of(agent.spec),
        )
        if claimed is None:
            return None
        hold = HeldLease(claimed.lease, resources.clock, claimed_at=claimed_at)
        return Serving(resources, self._adapters, hold, self._stops, self._draining, claimed.opened)

    async def _begin(
        self, queues: Sequence[str], group: asyncio.TaskGroup, serving: set[asyncio.Task[bool]]
    ) -> bool:
        """Start what waits, as far as its channels' shares go; True if more may be waiting."""
        limit = self._shares.at_once
        is_contested = monotonic() < self._spread_until
        window = max(_WINDOW, 2 * limit) if is_contested else limit
        found = await self._find(queues, window) if limit else []
        if len(found) > limit:
            found = random.sample(found, limit)
        for each in found:
            channel = Address.parse(each.address).channel.key
            self._shares.take(channel)
            self._claiming.add(each.id)
            task = group.create_task(self._serve(each))
            serving.add(task)
            task.add_done_callback(serving.discard)
            task.add_done_callback(partial(self._ended, channel))
        return bool(found) and len(found) == limit

    async def _serve(self, found: Ready) -> bool:
        """As `attend`; one that fails must not take the others down."""
        try:
            serving = await self._claimed(found.id, found.agent_id)
        except ConfigMistake:  # told by the directory, once
            return False
        except (StorageError, OSError) as error:
            extra = {"conversation": found.id, "why": str(error)}
            log.warning("conversation not claimed", extra=extra)
            return False
        finally:
            self._claiming.discard(found.id)
        if serving:
            await serving.run_or_leave()
        else:
            self._lost()
        return serving is not None

    def _lost(self) -> None:
        """Another process was quicker: the next look, soon, is for others than it finds."""
        self._spread_until = monotonic() + _SPREAD_SECONDS
        asyncio.get_running_loop().call_later(_CONTESTED_SECONDS, self.wake)

    def _ended(self, channel: str, task: asyncio.Task[bool]) -> None:
        """What could not be claimed waits for the next poll: else it might be tried on and on."""
        self._shares.give_back(channel)
        if not task.cancelled() and task.result():
            self.wake()

    async def _find(self, queues: Sequence[str], limit: int) -> list[Ready]:
        claiming = frozenset(self._claiming)  # as it is before the database looks
        try:
            await self._resources.take_over()
            found = await conversations.all_ready(
                queues=queues,
                now=self._resources.clock(),
                limit=limit + len(claiming),
                apart_from=Apart(
                    addresses=[*self._shares.full, *self.backlog.unread],
                    agents=self._resources.directory.unreadable,
                ),
            )
        except (StorageError, OSError) as error:
            log.warning("cannot look for work", extra={"why": str(error)})
            return []
        return [each for each in found if each.id not in claiming][:limit]

    async def _rest(self) -> None:
        """Wait for the next wake-up, or the next poll: replicas do not poll in step."""
        try:
            async with asyncio.timeout(_POLL_SECONDS * random.uniform(0.8, 1.2)):  # noqa: S311  # no secret
                await self._wakened.wait()
        except TimeoutError:
            return


async def _drained(looking: asyncio.Task[None], serving: set[asyncio.Task[bool]]) -> None:
    await asyncio.wait({looking})
    if serving:
        log.info("draining", extra={"turns": len(serving)})
        await asyncio.wait(serving)
