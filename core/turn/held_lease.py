"""A lease in the hands of this process, renewed in time, with the moment it may have lapsed."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from typing import TypeVar

from core.clock import Clock, monotonic
from storage import conversations
from storage.errors import DatabaseBusy, LeaseLost
from storage.lease import Lease

R = TypeVar("R")

_in_force = ContextVar["HeldLease | None"]("the hold under which this task works", default=None)


class HeldLease:
    """Renews a lease and knows when it may be somebody else's."""

    def __init__(self, lease: Lease, clock: Clock, *, claimed_at: float | None = None) -> None:
        """`claimed_at`, by the monotonic clock, is a moment before the lease was asked for."""
        self.lease = lease
        self._is_given_back = False
        self._clock = clock
        self._safe_until = (claimed_at or monotonic()) + lease.seconds

    def give_back(self) -> None:
        """Nothing may be done under it any more."""
        self._is_given_back = True

    def is_given_back(self) -> bool:
        """Whether it was."""
        return self._is_given_back

    def now(self) -> datetime:
        """The present moment, by the clock of whoever works here."""
        return self._clock()

    def check(self) -> None:
        """Make sure that a platform may still be told something.

        A process that was suspended past its lease notices here, before it speaks.

        Raises:
            LeaseLost: the lease may have lapsed.
        """
        if monotonic() >= self._safe_until:
            raise LeaseLost(f"the lease on conversation {self.lease.conversation_id} lapsed")

    async def insist(self, verb: Callable[[bool], Awaitable[R]]) -> R:
        """What the verb returns, as soon as the database answers, while the lease is held.

        What was done outside of the database is not done again because it is away for a moment.
        The verb is told whether it was tried before: it may have been done then.

        Raises:
            LeaseLost: that took too long.
            DatabaseUnusable: as the verb does.
        """
        is_again = False
        while True:
            try:
                return await verb(is_again)
            except DatabaseBusy:
                self.check()
            is_again = True
            await asyncio.sleep(random.uniform(0.1, 0.5))  # noqa: S311  # no secret

    @contextmanager
    def in_force(self) -> Generator[None]:
        """Let `check_lease` look at this hold, in this task and those that it starts."""
        outer = _in_force.set(self)
        try:
            yield
        finally:
            _in_force.reset(outer)

    async def keep(self) -> None:
        """Renew the lease three times in its length, until cancelled.

        Raises:
            LeaseLost: somebody else has the conversation.
        """
        while True:
            await asyncio.sleep(self.lease.seconds / 3)
            asked_at = monotonic()
            try:
                await conversations.keep(self.lease, self._clock())
            except DatabaseBusy:
                self.check()
            else:
                self._safe_until = asked_at + self.lease.seconds


def check_lease() -> None:
    """Make sure, where no `HeldLease` is at hand, that what this task works on is still its own.

    What goes out waits for rate limits and connections after `HeldLease.check` has let it pass: the
    last look belongs right before it is sent.

    Raises:
        LeaseLost: the lease may have lapsed; never outside of a turn or delivery.
    """
    if hold := _in_force.get():
        hold.check()
