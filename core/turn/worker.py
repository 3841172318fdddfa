"""Claims conversations that have work, runs their turns, and takes over what others left."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from tenacity import AsyncRetrying, retry_if_exception_type, wait_random

from core import faults, metrics
from core.adapter import Adapter
from core.address import Address
from core.clock import Clock, monotonic
from core.directory import Directory, KnownAgent
from core.errors import ConfigMistake, ModelRefused, Transient
from core.stray import contained
from core.turn import relay
from core.turn.attempts import Attempts
from core.turn.ending import Outcome
from core.turn.hold import Hold
from core.turn.runner import Runner
from core.turn.shares import Shares
from storage import conversations, turns
from storage.errors import DatabaseBusy, LeaseLost, StorageError
from storage.lease import Lease
from storage.turns import OpenTurn

log = logging.getLogger(__name__)

_is_attended = ContextVar("whether this runs inside a turn that is attended to", default=False)

_POLL_SECONDS = 1.0
_HAND_OVER_SECONDS = 5.0
_MOST_ATTEMPTS = 3
_RETRY_SECONDS = 1.0  # after the first attempt; after the second four times as long
_LONGEST_WAIT = 60.0  # seconds that a person is kept waiting for the next attempt
_INTERRUPTED = (
    "I was interrupted three times while answering this, so I stopped trying. "
    "Please ask again, perhaps in other words."
)
_UNREACHABLE = "I cannot reach my language model right now. Please ask again in a few minutes."
_BROKEN = (
    "Something in me broke while answering this, three times. "
    "Please tell whoever runs me; the log says more."
)
_RETIRED = (
    "I have been retired, so I answer no more. Please ask another agent, or tell whoever runs me."
)
_MISCONFIGURED = (
    "I am not set up correctly, so I cannot answer. Please tell whoever runs me; "
    "the log says what to change."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What a worker works with: adapters by platform, and a way to free what the dead held.

    `attending` bounds how many conversations all workers of a process attend to at once: more
    than a database can serve would only lose their leases while they wait for it.
    """

    owner: str
    directory: Directory
    runner: Runner
    adapters: Mapping[str, Adapter]
    clock: Clock
    lease_seconds: float
    take_over: Callable[[], Awaitable[None]]
    attending: asyncio.Semaphore


class Worker:
    """One turn at a time in a conversation, many conversations at once."""

    def __init__(self, bench: Bench, *, slots: int = 32) -> None:
        self._bench = bench
        self._attempts = Attempts(bench.runner)
        self._shares = Shares(slots)
        self._is_trying = asyncio.Lock()
        self._wakened = asyncio.Event()
        self._is_looking = False
        self._is_draining = False

    async def check(self) -> None:
        """Raise ConnectionError while nobody looks for work here."""
        if not self._is_looking:
            raise ConnectionError("the worker does not look for work")

    def wake(self) -> None:
        """Look for work now instead of at the next poll."""
        self._wakened.set()

    def interrupt(self, conversation_id: int, *, asked: str | None = None) -> bool:
        """Stop the answer being written there; what was shown stands. False if there is none.

        With the key of a message, only an answer to that message is stopped.
        """
        return self._attempts.stop(conversation_id, asked=asked)

    async def run(self, queues: Sequence[str], stop: asyncio.Event, drain_seconds: float) -> None:
        """Serve these queues until `stop`; then let running turns finish for a bounded time.

        What does not finish is handed over: another process goes on at once.
        """
        async with asyncio.TaskGroup() as group:
            serving: set[asyncio.Task[None]] = set()
            looking = group.create_task(self._look(queues, stop, group, serving))
            await stop.wait()
            self._is_looking, self._is_draining = False, True
            self.wake()
            with suppress(TimeoutError):
                async with asyncio.timeout(drain_seconds):
                    await _drained(looking, serving)
            for task in (looking, *serving):
                task.cancel()

    async def _look(
        self,
        queues: Sequence[str],
        stop: asyncio.Event,
        group: asyncio.TaskGroup,
        serving: set[asyncio.Task[None]],
    ) -> None:
        """Begin whatever waits, until `stop`. What a last look finds is given back at once."""
        self._is_looking = True
        while not stop.is_set():
            self._wakened.clear()
            while await self._begin(queues, group, serving) and not stop.is_set():
                pass
            await self._rest()

    async def attend(self, conversation_id: int) -> bool:
        """Serve this one conversation now; False if it has no work or somebody else has it."""
        if _is_attended.get():  # a tool asks another agent: its own turn holds a place already
            return await self._attend(conversation_id)
        async with self._bench.attending:
            _is_attended.set(True)
            try:
                return await self._attend(conversation_id)
            finally:
                _is_attended.set(False)

    async def _attend(self, conversation_id: int) -> bool:
        await self._bench.take_over()
        claimed_at = monotonic()
        lease = await conversations.claim_one(
            conversation_id=conversation_id,
            owner=self._bench.owner,
            now=self._bench.clock(),
            seconds=self._bench.lease_seconds,
        )
        if lease is None:
            return False
        await self.serve(lease, claimed_at=claimed_at)
        return True

    async def serve(self, lease: Lease, *, claimed_at: float | None = None) -> None:
        """Deliver and answer until nothing waits in this conversation, then give it back.

        Cancelled, it hands the conversation over. A lost lease is not an error: somebody else
        goes on. `claimed_at` as for `Hold`.

        Raises:
            DatabaseBusy, DatabaseUnusable: the work stays where it is, for a later claim.
        """
        await self._serve(Hold(lease, self._bench.clock, claimed_at=claimed_at))

    async def _serve(self, hold: Hold) -> None:
        faults.reach("claimed")
        try:
            with metrics.LEASES_HELD.track_inprogress(), hold.in_force():
                await self._held(hold)
        except LeaseLost as error:
            log.warning("lease lost", extra={"why": str(error)})
        except asyncio.CancelledError:
            with suppress(StorageError, TimeoutError):  # given back already, or left to lapse
                async with asyncio.timeout(_HAND_OVER_SECONDS):
                    await turns.hand_over(hold.lease, hold.now(), is_attempt=hold.is_attempt)
            raise

    async def _serve_or_log(self, lease: Lease, claimed_at: float) -> None:
        """A conversation that fails must not take the others down; its lease lapses in the end."""
        extra = {"conversation": lease.conversation_id}
        hold = Hold(lease, self._bench.clock, claimed_at=claimed_at)
        try:
            await self._serve(hold)
        except StorageError as error:
            log.warning("conversation left", extra={**extra, "why": str(error)})
            if isinstance(error, DatabaseBusy):
                await _give_back(hold)
        except Exception:
            log.exception("conversation left", extra=extra)

    async def _held(self, hold: Hold) -> None:
        """Work under a lease that is renewed meanwhile; the first failure ends both."""
        try:
            async with asyncio.TaskGroup() as group:
                keeper = group.create_task(hold.keep())
                watcher = group.create_task(self._attempts.watch(hold.lease.conversation_id))
                await self._work(hold)
                keeper.cancel()
                watcher.cancel()
        except* Exception as failures:
            raise failures.exceptions[0] from failures

    async def _work(self, hold: Hold) -> None:
        agent = await self._bench.directory.of(hold.lease.agent_id)
        adapter = self._bench.adapters[Address.parse(hold.lease.address).platform]
        not_before = None
        try:
            if not self._is_draining:
                await relay.deliver(hold, adapter, agent.spec.name)
            while not self._is_draining:
                if await self._turn(hold, agent, adapter):
                    await relay.deliver(hold, adapter, agent.spec.name)
                if await conversations.leave_if_idle(hold.lease, hold.now()):
                    return
                agent = await self._bench.directory.of(hold.lease.agent_id)  # read again meanwhile
        except Transient as later:
            hold.is_attempt = False
            log.warning("put off", extra={"why": str(later), "seconds": later.retry_after})
            not_before = hold.now() + timedelta(seconds=later.retry_after or _POLL_SECONDS)
        await conversations.release(hold.lease, hold.now(), not_before=not_before)

    async def _turn(self, hold: Hold, agent: KnownAgent, adapter: Adapter) -> bool:
        """Answer what waits; False if nothing does."""
        opened = await turns.open_next(hold.lease, revision=agent.spec.fingerprint, now=hold.now())
        if opened is None:
            return False
        faults.reach("turn opened")
        if opened.is_suspect:
            await self._answer_alone(hold, agent, adapter, opened)
        else:
            await self._answer(hold, agent, adapter, opened)
        hold.is_attempt = False
        faults.reach("turn ended, not delivered")
        return True

    async def _answer_alone(
        self, hold: Hold, agent: KnownAgent, adapter: Adapter, opened: OpenTurn
    ) -> None:
        """One suspect at a time: a turn that ends processes takes no others with it."""
        if self._is_trying.locked():
            wait = random.uniform(1, 3)  # noqa: S311  # no secret
            raise Transient("another turn that was interrupted is tried alone", retry_after=wait)
        async with self._is_trying:
            await turns.try_alone(hold.lease, opened, hold.now())
            await self._answer(hold, agent, adapter, opened)

    async def _answer(
        self, hold: Hold, agent: KnownAgent, adapter: Adapter, opened: OpenTurn
    ) -> None:
        """Bring the turn to an end, or raise Transient with the wait before its next attempt."""
        hold.is_attempt = True
        outcome = Outcome(hold=hold, agent=agent, opened=opened, adapter=adapter)
        extra = {"turn": opened.turn.id, "agent": agent.spec.name}
        if agent.is_retired:
            await outcome.failed(_RETIRED, "retired", "the agents file does not name it any more")
            return
        if opened.turn.attempts > _MOST_ATTEMPTS:
            await outcome.failed(_INTERRUPTED, "interrupted", "it was interrupted too often")
            return
        try:
            with metrics.TURN_SECONDS.time(), contained():
                await self._attempts.make(outcome, adapter)
        except StorageError:
            raise
        except ModelRefused as error:
            log.warning("turn refused", extra={**extra, "why": str(error)})
            await outcome.failed(error.told, "refused", str(error))
        except ConfigMistake as error:
            log.warning("turn failed", extra={**extra, "why": str(error)})
            await outcome.failed(_MISCONFIGURED, "configuration", str(error))
        except Transient as error:
            log.warning("attempt failed", extra={**extra, "why": str(error)})
            await _try_again(outcome, error, _UNREACHABLE)
        except Exception as error:
            log.exception("attempt failed", extra=extra)
            await _try_again(outcome, Transient(f"unexpected {type(error).__name__}"), _BROKEN)

    async def _begin(
        self, queues: Sequence[str], group: asyncio.TaskGroup, serving: set[asyncio.Task[None]]
    ) -> bool:
        """Serve what waits, as far as each channel's share goes; whether more may wait."""
        limit, claimed_at = self._shares.at_once, monotonic()
        leases = await self._claim(queues, limit) if limit else []
        for lease in leases:
            channel = Address.parse(lease.address).channel.key
            self._shares.take(channel)
            task = group.create_task(self._serve_or_log(lease, claimed_at))
            serving.add(task)
            task.add_done_callback(serving.discard)
            task.add_done_callback(partial(self._ended, channel))
        return bool(leases) and len(leases) == limit

    def _ended(self, channel: str, _: object) -> None:
        self._shares.give_back(channel)
        self.wake()

    async def _claim(self, queues: Sequence[str], limit: int) -> list[Lease]:
        try:
            await self._bench.take_over()
            return await conversations.claim(
                queues=queues,
                owner=self._bench.owner,
                now=self._bench.clock(),
                seconds=self._bench.lease_seconds,
                limit=limit,
                apart_from=self._shares.full,
            )
        except (StorageError, OSError) as error:
            log.warning("cannot look for work", extra={"why": str(error)})
            return []

    async def _rest(self) -> None:
        """Wait for the next wake-up, or the next poll: replicas do not poll in step."""
        try:
            async with asyncio.timeout(_POLL_SECONDS * random.uniform(0.8, 1.2)):  # noqa: S311  # no secret
                await self._wakened.wait()
        except TimeoutError:
            return


async def _drained(looking: asyncio.Task[None], serving: set[asyncio.Task[None]]) -> None:
    await asyncio.wait({looking})
    if serving:
        log.info("draining", extra={"turns": len(serving)})
        await asyncio.wait(serving)


async def _give_back(hold: Hold) -> None:
    """Hand over as soon as the database is there again; that it was away is no attempt."""

    async def hand_over() -> None:
        not_before = hold.now() + timedelta(seconds=_POLL_SECONDS)  # a flapping one is not pressed
        await turns.hand_over(
            hold.lease, hold.now(), is_attempt=hold.is_attempt, not_before=not_before
        )

    until_it_answers = AsyncRetrying(
        retry=retry_if_exception_type(DatabaseBusy), wait=wait_random(0.2, 0.6)
    )
    with suppress(StorageError):  # LeaseLost, mostly: somebody goes on already
        await until_it_answers(hand_over)


async def _try_again(outcome: Outcome, error: Transient, sentence: str) -> None:
    """Raise, with the wait before the next attempt; after the last one, fail."""
    attempts = outcome.opened.turn.attempts
    if attempts >= _MOST_ATTEMPTS or (error.retry_after or 0) > _LONGEST_WAIT:
        await outcome.failed(sentence, "unreachable", str(error))
        return
    raise Transient(
        str(error), retry_after=error.retry_after or _RETRY_SECONDS * attempts**2
    ) from error
