"""What is kept for how long: words as long as the operator says, and what protects them longer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from datetime import datetime, timedelta

from core import kill_points
from core.clock import Clock, monotonic
from storage import free_space, retention
from storage.retention import Bounds, Pruned

# Threads in which somebody wrote within a week are looked into by catch-up, and found by what
# was received in them.
_THREADS = timedelta(days=7)
_MARGIN = timedelta(days=2)


async def give_back() -> AsyncGenerator[int]:
    """Give what is free in a SQLite file back to the disk; the bytes so far, after each step.

    Others have the database in between for as long as the step took. A file that cannot is left as
    it is: its room is used again.
    """
    begun = now = await free_space.look()
    while now.free and now.can_shrink:
        began = monotonic()
        await free_space.give_back()
        kill_points.reach("room given back")
        last, now = now, await free_space.look()
        yield max(0, begun.free - now.free)
        if now.free >= last.free:
            break  # others delete as fast, or read what is to be moved
        await asyncio.sleep(monotonic() - began)


class Retention:
    """Applied as often as one likes; cut off anywhere, the next time does the rest.

    An answer goes with everything of it (its questions, messages of the history, steps, visible
    messages, cost, opinions) when it ended longer ago than is kept. What is being answered or
    delivered stays whole, and so do facts that were told, the newest summary, without its words
    once all that it stands for is gone, and the conversations themselves, whose numbers go on.
    What was learned from messages that are all gone goes with them. What catch-up may find once
    more is known by the key of the question, which is kept without its words until nobody looks
    back that far.
    """

    def __init__(self, clock: Clock, *, catch_up: timedelta) -> None:
        """`catch_up` is how far back missed messages are answered; `protected` is longer."""
        self._clock = clock
        self.protected = max(catch_up, _THREADS) + _MARGIN

    async def prune(self, older_than: timedelta) -> AsyncGenerator[Pruned]:
        """Delete, and tell after each transaction what is gone by then.

        Others have the database in between for as long as the transaction took.
        """
        bounds = self._bounds(older_than)
        pruned, last = Pruned(), None
        while True:
            began = monotonic()
            batch = await retention.prune(bounds, last)
            pruned, last = pruned + batch.pruned, batch.last
            kill_points.reach("batch pruned")
            yield pruned
            if last is None:
                break
            await asyncio.sleep(monotonic() - began)
        emptied = 0
        while emptied := await retention.expire(bounds.words, emptied):
            yield pruned
        while count := await retention.prune_withdrawn(bounds.rows):
            pruned += Pruned(received=count)
            yield pruned

    async def count(self, older_than: timedelta) -> Pruned:
        """What `prune` would delete now."""
        bounds = self._bounds(older_than)
        batch = await retention.count(bounds, None)
        counted = batch.pruned
        while batch.last:
            batch = await retention.count(bounds, batch.last)
            counted += batch.pruned
        return counted + Pruned(received=await retention.count_withdrawn(bounds.rows))

    def _bounds(self, older_than: timedelta) -> Bounds:
        now: datetime = self._clock()
        return Bounds(words=now - older_than, rows=now - max(older_than, self.protected))
