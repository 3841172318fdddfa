"""The protocol of claim, edit, takeover, answer and delivery, with workers that die anywhere.

The four invariants of the design hold after every act: nothing lost, nothing doubled, order, and
fencing. A statement that fails in the middle of a verb leaves nothing of the verb behind.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from storage import inbox
from storage.database import Database, open_database
from storage.errors import StorageError
from storage.models import Conversation, InboxMessage, InboxState, Message, OutboxMessage, Turn
from tests.storage import given, sql
from tests.storage.power import PowerCut, cut_after
from tests.storage.workers import SECONDS, Work, Worker

T = TypeVar("T")

WORKERS = ("one", "two", "three")
workers = st.sampled_from(WORKERS)
rooms = st.integers(0, 1)


class Opened:
    """A database that a state machine, which is not async, works on."""

    def __init__(self, url: str) -> None:
        self._runner = asyncio.Runner()
        self._context = contextvars.copy_context()
        self.database: Database = self.run(lambda: open_database(url))

    def run(self, work: Callable[[], Awaitable[T]]) -> T:
        """The result of the work."""

        async def awaited() -> T:
            return await work()

        return self._runner.run(awaited(), context=self._context)

    def close(self) -> None:
        """Close the database and the loop."""
        self.run(self.database.close)
        self._runner.close()


class Protocol(RuleBasedStateMachine):
    """Three workers and two conversations."""

    opened: Opened

    def __init__(self) -> None:
        super().__init__()
        self.work = Work(now=datetime(2026, 3, 1, tzinfo=UTC))
        self.workers = {name: Worker(name, self.work) for name in WORKERS}
        self.said: list[str] = []
        self.edits = 0
        self.rooms = self.run(self._begin)

    def run(self, work: Callable[[], Awaitable[T]]) -> T:
        """The result of what is awaited."""
        return self.opened.run(work)

    @property
    def busy(self) -> bool:
        """Whether anybody holds a lease, or believes to."""
        return not all(worker.is_idle for worker in self.workers.values())

    async def _begin(self) -> list[Conversation]:
        database = self.opened.database
        for table in sql.declared():
            await sql.rows(database, f"DELETE FROM {sql.quoted(database, table)}")  # noqa: S608  # a table of our own
        return [await given.conversation(self.work.now, room=f"room-{n}") for n in range(2)]

    @initialize()
    def there_is_work(self) -> None:
        for room in (0, 1):
            self.somebody_writes(room=room, authors=["ana", "ben"], twice=False)

    @rule(
        room=rooms,
        authors=st.lists(st.sampled_from(["ana", "ben"]), max_size=3),
        twice=st.booleans(),
    )
    def somebody_writes(self, room: int, authors: list[str], *, twice: bool) -> None:
        for author in authors:
            self.said.append(f"k{len(self.said)}")
            for _ in range(1 + twice):
                self.run(lambda: self._hear(room, author))  # noqa: B023  # run at once

    async def _hear(self, room: int, author: str) -> None:
        where, position = self.rooms[room], len(self.said)
        await given.received(where, self.said[-1], self.work.now, author=author, position=position)

    @rule(which=st.integers(0, 20), deletes=st.booleans())
    def somebody_edits(self, which: int, *, deletes: bool) -> None:
        self.edits += 1
        key, text = self.said[which % len(self.said)], f"edit {self.edits}"
        if deletes:
            self.run(lambda: inbox.withdraw(key, self.work.now))
        else:
            self.run(lambda: inbox.change(key, text))

    @rule(worker=workers, room=rooms, acts=st.integers(1, 30), meanwhile=st.booleans())
    def a_worker_goes_on(self, worker: str, room: int, acts: int, *, meanwhile: bool) -> None:
        self.run(lambda: self._go_on(self.workers[worker], room, acts))
        if meanwhile:
            self.somebody_writes(room=room, authors=["ana"], twice=False)

    @rule(worker=workers, room=rooms)
    def somebody_writes_when_nothing_was_found(self, worker: str, room: int) -> None:
        """Between the last look and the release."""
        one = self.workers[worker]
        self.run(lambda: self._go_on(one, room, 1))
        while not (one.is_idle or one.found_nothing):
            self.run(lambda: self._one_act(one))
        self.somebody_writes(room=room, authors=["ben"], twice=False)
        self.run(lambda: self._go_on(one, room, 1))

    @rule(room=rooms, acts=st.integers(1, 14), later=st.integers(0, 14), zombie=st.integers(0, 3))
    def a_worker_is_suspended(self, room: int, acts: int, later: int, zombie: int) -> None:
        """Another one takes over in the middle, and then the first wakes up."""
        first, second = self.workers["one"], self.workers["two"]
        self.run(lambda: self._go_on(first, room, acts))
        self.work.pass_by(SECONDS + 1)
        second.die()
        self.run(lambda: self._go_on(second, room, later))
        self.run(lambda: self._go_on(first, room, zombie))

    @rule(room=rooms, later=st.integers(3, 14))
    def a_worker_is_suspended_between_an_intent_and_its_post(self, room: int, later: int) -> None:
        """Another one looks for the message, finds none and posts it."""
        first, second = self.workers["one"], self.workers["two"]
        first.die()
        self.work.pass_by(SECONDS + 1)
        self.somebody_writes(room=room, authors=["ana"], twice=False)
        self.run(lambda: self._go_on(first, room, 1))
        while not (first.is_idle or first.is_about_to_post):
            self.run(lambda: self._one_act(first))
        self.work.pass_by(SECONDS + 1)
        second.die()
        self.run(lambda: self._go_on(second, room, later))
        self.run(lambda: self._go_on(first, room, 1))

    async def _go_on(self, worker: Worker, room: int, acts: int) -> None:
        if worker.is_idle:
            await worker.claim(self.rooms[room].id)
        for _ in range(acts):
            if worker.is_idle:
                return
            await self._one_act(worker)

    async def _one_act(self, worker: Worker) -> None:
        """Who has lost the lease changes nothing."""
        is_stale = await self._is_stale(worker)
        before = await self._everything() if is_stale else ""
        await worker.step()
        if is_stale:
            assert await self._everything() == before

    @precondition(lambda self: self.busy)
    @rule(worker=workers, statements=st.integers(0, 6))
    def a_worker_dies_within_a_verb(self, worker: str, statements: int) -> None:
        one = self.workers[worker]
        with cut_after(statements), suppress(PowerCut, StorageError):
            self.run(one.step)
        one.die()

    @precondition(lambda self: self.busy)
    @rule(worker=workers)
    def a_worker_dies(self, worker: str) -> None:
        self.workers[worker].die()

    @precondition(lambda self: self.busy)
    @rule(worker=workers)
    def a_worker_keeps_its_lease(self, worker: str) -> None:
        self.run(self.workers[worker].keep)

    @precondition(lambda self: self.busy)
    @rule(worker=workers)
    def a_worker_hands_over(self, worker: str) -> None:
        self.run(self.workers[worker].hand_over)

    @precondition(lambda self: self.busy)
    @rule(seconds=st.sampled_from([1, SECONDS / 2, SECONDS + 1]))
    def time_passes(self, seconds: float) -> None:
        self.work.pass_by(seconds)

    @invariant()
    def nothing_is_lost(self) -> None:
        states = self.run(lambda: InboxMessage.all().values_list("key", "state", "turn_id"))
        assert sorted(str(key) for key, _, _ in states) == sorted(self.said)
        untaken = {InboxState.WAITING, InboxState.WITHDRAWN}
        assert all(turn or state in untaken for _, state, turn in states)

    @invariant()
    def what_is_answered_was_read_as_it_says(self) -> None:
        """Whoever deletes it afterwards deletes it here alone."""
        kept = self.run(lambda: Message.all().values_list("turn_id", "text"))
        asked = self.run(lambda: InboxMessage.filter(state=InboxState.ANSWERED).exclude(text=""))
        assert {(each.turn_id, each.text) for each in asked} <= set(kept)

    @invariant()
    def nothing_is_doubled(self) -> None:
        posts = self.work.platform.posts
        assert len(posts) == len(set(posts))
        assert not self.work.repeated

    @invariant()
    def answers_stand_in_order(self) -> None:
        for numbers in self.run(self._numbers_shown):
            assert numbers == sorted(numbers)

    async def _numbers_shown(self) -> list[list[tuple[int, int]]]:
        """By conversation, the turn and part of what is visible, as it appeared."""
        turns = {turn.id: turn for turn in await Turn.all()}
        rows = {row.key: row for row in await OutboxMessage.all()}
        shown = [rows[key] for key in self.work.platform.posts]
        return [
            [
                (turns[row.turn_id].number, row.part)
                for row in shown
                if row.conversation_id == room.id
            ]
            for room in self.rooms
        ]

    async def _is_stale(self, worker: Worker) -> bool:
        if worker.lease is None:
            return False
        row = await Conversation.get(id=worker.lease.conversation_id)
        return row.token != worker.lease.token

    async def _everything(self) -> str:
        database = self.opened.database
        return repr(
            [
                await sql.rows(database, f"SELECT * FROM {sql.quoted(database, table)}")  # noqa: S608  # a table of our own
                for table in sorted(sql.declared())
            ]
        )

    def teardown(self) -> None:
        """Whatever happened, the next worker brings everything to its end."""
        self.work.pass_by(SECONDS + 1)
        heir = Worker("heir", self.work)
        for room in self.rooms:
            where = room.id
            self.run(lambda: heir.claim(where))  # noqa: B023  # run at once
            while not heir.is_idle:
                self.run(heir.step)
        self.nothing_is_lost()
        self.nothing_is_doubled()
        self.answers_stand_in_order()
        states = self.run(lambda: InboxMessage.all().values_list("state", flat=True))
        assert set(states) <= {InboxState.ANSWERED, InboxState.WITHDRAWN}
        keys = {row.key for row in self.run(lambda: OutboxMessage.all())}
        assert keys == set(self.work.platform.posts) == self.work.platform.finished


@pytest.fixture
def opened(url: str) -> Iterator[Opened]:
    opened = Opened(url)
    yield opened
    opened.close()


@pytest.mark.hypothesis
def test_whoever_dies_wherever_everything_is_answered_once_and_in_order(opened: Opened) -> None:
    class OnThisDatabase(Protocol):
        pass

    OnThisDatabase.opened = opened
    run_state_machine_as_test(
        OnThisDatabase,
        settings=settings(
            max_examples=settings().max_examples // 3,  # each of many statements
            stateful_step_count=20,
            derandomize=True,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
