"""Serves one conversation under its lease: delivers, answers what waits, and gives it back."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from typing import assert_never

from tenacity import AsyncRetrying, retry_if_exception_type, wait_random

from core import kill_points, metrics
from core.address import Address
from core.clock import monotonic
from core.errors import ConfigMistake, MooringsError, Postponed, Transient
from core.isolation import contained
from core.messaging.adapter import Adapter
from core.messaging.directory import KnownAgent
from core.turn import runner
from core.turn.deliver import Due, deliver
from core.turn.held_lease import HeldLease
from core.turn.resources import Resources
from core.turn.retries import BeginAgain, Count, Fail, GiveBack, GivenUp, Retired, Stop, outcome_of
from core.turn.stops import Stops
from core.turn.turn import Turn
from storage import claims, conversations, turns
from storage.claims import OpenTurn
from storage.errors import DatabaseBusy, LeaseLost, StorageError

log = logging.getLogger(__name__)

_AGAIN_SECONDS = 1.0
_TOLD_AT = 4  # the attempt at which a person is told: only a model that is away has so many
_AWAY = "(I cannot reach my language model right now; I keep trying for two minutes.)"


class Serving:
    """One conversation while this process holds its lease."""

    def __init__(
        self,
        resources: Resources,
        adapters: Mapping[str, Adapter],
        hold: HeldLease,
        stops: Stops,
        draining: asyncio.Event,
        opened: OpenTurn | None = None,
    ) -> None:
        """`opened` is the turn that was opened when the conversation was claimed.

        Once `draining` is set, nothing is begun any more.
        """
        self._resources = resources
        self._adapter = adapters[Address.parse(hold.lease.address).platform]
        self._hold = hold
        self._stops = stops
        self._draining = draining
        self._opened = opened
        self._turn: Turn | None = None

    async def run(self) -> None:
        """Deliver and answer until nothing waits, then give the conversation back.

        Cancelled, it hands the conversation over. A lost lease is not an error: somebody else
        goes on.

        Raises:
            DatabaseBusy, DatabaseUnusable: the work stays where it is, for a later claim.
            ConfigMistake: the agent's record cannot be read here; it is given back at once.
        """
        kill_points.reach("claimed")
        try:
            with metrics.LEASES_HELD.track_inprogress(), self._hold.in_force():
                if self._hold.lease.is_takeover:
                    await self._resources.quarantine.disturbed(self._hold.now())
                await self._held()
        except LeaseLost as error:
            log.warning("lease lost", extra={"why": str(error)})
            await self._take_back()
        except ConfigMistake:
            await self._hand_over()
            raise
        except asyncio.CancelledError:
            with suppress(StorageError):  # given back already, or left to lapse
                await self._hand_over()
            raise

    async def run_or_leave(self) -> None:
        """As `run`; one that fails must not take the others down, and its lease lapses in the end.

        A database that was away is no attempt: it is handed over as soon as that is there again.
        """
        extra = {"conversation": self._hold.lease.conversation_id}
        try:
            await self.run()
        except DatabaseBusy as error:
            log.warning("conversation left", extra={**extra, "why": str(error)})
            try:
                await _until_it_answers()(self._hand_over, _AGAIN_SECONDS)
            except StorageError:  # LeaseLost, mostly: somebody goes on already
                await self._take_back()
        except StorageError as error:
            log.warning("conversation left", extra={**extra, "why": str(error)})
        except ConfigMistake:  # told by the directory, once
            return
        except Exception:
            log.exception("conversation left", extra=extra)

    async def _held(self) -> None:
        """Work under a lease that is renewed meanwhile; the first failure ends both."""
        try:
            async with asyncio.TaskGroup() as group:
                keeper = group.create_task(self._hold.keep())
                watcher = group.create_task(self._stops.watch(self._hold.lease.conversation_id))
                await self._work()
                keeper.cancel()
                watcher.cancel()
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from failures

    async def _work(self) -> None:
        try:
            await self._go_on()
        except Transient as later:
            wait = later.retry_after or _AGAIN_SECONDS
            log.warning("put off", extra={"why": str(later), "seconds": wait})
            await self._hand_over(wait)

    async def _go_on(self) -> None:
        """Raises Transient with the wait before somebody is to go on."""
        hold, directory = self._hold, self._resources.directory
        agent, wait = await directory.of(hold.lease.agent_id), None
        if not (self._opened or self._draining.is_set()):  # else nothing was due
            wait = await deliver(hold, self._adapter, agent.spec.name)
        while not (hold.is_given_back() or self._draining.is_set()):
            if turn := await self._open(agent):
                async with self._beside_others(turn):
                    due = await self._answer(turn)
                if due is None:
                    return
                if wait is not None:  # something older is due, too
                    due = replace(due, rows=None)
                wait = await deliver(hold, self._adapter, agent.spec.name, due)
                if wait is None:
                    turn.delivered()
            elif wait:
                raise Transient("the platform does not take an answer", retry_after=wait)
            if hold.is_given_back() or await conversations.leave_if_idle(hold.lease):
                return
            agent = await directory.of(hold.lease.agent_id)  # read again meanwhile
        if not hold.is_given_back():
            await conversations.release(hold.lease, hold.now())

    async def _open(self, agent: KnownAgent) -> Turn | None:
        """The turn over what waits, if anything does."""
        hold, opened = self._hold, self._opened
        self._opened = None
        if opened is None:
            plan = self._resources.plan_of(agent.spec)
            opened = await claims.open_next(hold.lease, plan=plan, now=hold.now())
        if opened is None:
            return None
        self._turn = Turn(self._resources, hold, self._adapter, agent, opened)
        kill_points.reach("turn opened")
        return self._turn

    @asynccontextmanager
    async def _beside_others(self, turn: Turn) -> AsyncGenerator[None]:
        """Beside the others, or alone if it may be what ends its processes.

        Within another turn, which waits for it, it cannot be alone: each try counts there, too.
        """
        quarantine, opened = self._resources.quarantine, turn.opened
        is_suspect, may_wait = opened.is_suspect, not quarantine.is_within
        may_be_convicted = may_wait and opened.is_nearly_given_up
        if may_be_convicted:
            await self._expect_calm(opened)
        async with quarantine.alone() if may_wait and is_suspect else quarantine.beside():
            if may_be_convicted:  # again: it may have waited for long
                await self._expect_calm(opened)
            if is_suspect:
                turn.is_tried_alone = True  # before, since an error may leave it counted
                await turns.try_alone(self._hold.lease, opened.turn.id, self._hold.now())
            yield

    async def _expect_calm(self, opened: OpenTurn) -> None:
        """Before what may convict it; raises Postponed, also where a try was taken back since."""
        await self._resources.quarantine.expect_calm(self._hold.now())
        if await turns.lone_tries(opened.turn.id) < opened.turn.lone_tries:
            raise Postponed("a try was taken back", retry_after=_AGAIN_SECONDS)

    async def _answer(self, turn: Turn) -> Due | None:
        """What is to be delivered now; None if the conversation was given back instead."""
        began_at = monotonic()
        try:
            with metrics.TURN_SECONDS.time(), contained():
                due = await turn.answered(await self._attempt(turn))
        except BaseException as error:
            outcome = outcome_of(error, attempt=turn.attempt, seconds=monotonic() - began_at)
            extra = {"turn": turn.opened.turn.id, "agent": turn.agent.spec.name, "why": str(error)}
            level = logging.WARNING if isinstance(error, MooringsError) else logging.ERROR
            trace = error if level == logging.ERROR else None
            match outcome:
                case GiveBack():
                    raise
                case Count():
                    log.log(level, "attempt failed", extra=extra, exc_info=trace)
                    await self._hand_over(outcome.wait, has_failed=True)
                    return None
                case BeginAgain():
                    log.info("answer begun again", extra={"turn": turn.opened.turn.id})
                    turn.edited()
                    return await self._answer(turn)
                case Fail():
                    log.log(level, "turn failed", extra=extra, exc_info=trace)
                    due = await turn.failed(outcome, str(error))
                case Stop():
                    due = await turn.stopped()
                case _:
                    assert_never(outcome)
        self._turn = None
        kill_points.reach("turn ended, not delivered")
        return due

    async def _attempt(self, turn: Turn) -> str:
        """The answer, or whatever else comes of it, to be read by `outcome_of`."""
        if turn.agent.is_retired:
            raise Retired("the agents file does not name it any more")
        if turn.opened.is_given_up:
            raise GivenUp("it ended its process three times while it was answered alone")
        async with self._stops.stoppable(turn):
            await turn.show_work()
            if turn.is_edited:
                await turn.settle()
            else:
                await turn.read_files()
            turn.before = await turn.resources.earlier.said_before(
                self._adapter,
                turn.opened.questions[0],
                turn.reply.to.address,
                turn.agent.spec,
                last_seq=turn.opened.last_seq,
            )
            if turn.opened.is_shared:
                turn.before = await turn.said_by_others() + turn.before
            if turn.attempt >= _TOLD_AT:
                await turn.reply.tell(_AWAY)
            return await runner.run(turn)

    async def _take_back(self) -> None:
        """Tell whoever goes on that the turn that was tried alone here did not end this process."""
        if self._turn and self._turn.is_tried_alone:
            with suppress(StorageError):  # then it counts as if it had
                await _until_it_answers()(turns.take_back, self._turn.opened.turn.id)

    async def _hand_over(self, wait: float = 0, *, has_failed: bool = False) -> None:
        """Let whoever claims the conversation go on, after so many seconds."""
        now = self._hold.now()
        await turns.hand_over(
            self._hold.lease,
            now,
            opened=self._turn.opened if self._turn else None,
            is_tried_alone=bool(self._turn and self._turn.is_tried_alone),
            has_failed=has_failed,
            not_before=now + timedelta(seconds=wait),
        )


def _until_it_answers() -> AsyncRetrying:
    """Calls what asks the database again and again while that is away."""
    return AsyncRetrying(retry=retry_if_exception_type(DatabaseBusy), wait=wait_random(0.2, 0.6))
