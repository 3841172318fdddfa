"""Workers that can die, and the platform they post to, as a model of the protocol drives them."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from storage import claims, conversations, outbox, steps, turns
from storage.claims import OpenTurn, Plan
from storage.errors import LeaseLost
from storage.lease import Lease
from storage.models import MessageRole, OutboxMessage, StepKind, TurnState
from storage.steps import FinishedStep
from storage.turns import Ending, Entry, QuestionsEdited

SECONDS = 15.0  # that a lease lasts
STEPS = 3  # of each turn; the last one is journalled with its end
PLAN = Plan(revision="r1", room=40_000)


@dataclass(kw_only=True)
class Platform:
    """What is visible, in order: the key of each message, and which of them are finished."""

    posts: list[str] = field(default_factory=list)
    finished: set[str] = field(default_factory=set)

    def show(self, key: str, *, is_final: bool) -> None:
        """A new message."""
        self.posts.append(key)
        if is_final:
            self.finished.add(key)


@dataclass(kw_only=True)
class Work:
    """What outlives every worker: the platform, the effects of steps, and the time."""

    now: datetime
    platform: Platform = field(default_factory=Platform)
    effects: Counter[tuple[int, int]] = field(default_factory=Counter)
    journalled: set[tuple[int, int]] = field(default_factory=set)
    repeated: list[tuple[int, int]] = field(default_factory=list)

    def do(self, turn_id: int, number: int) -> None:
        """The effect of a step."""
        if (turn_id, number) in self.journalled:
            self.repeated.append((turn_id, number))
        self.effects[turn_id, number] += 1

    def pass_by(self, seconds: float) -> None:
        """Let time pass."""
        self.now += timedelta(seconds=seconds)


class Worker:
    """Goes one effect or one verb further with each `step`; dies by being forgotten."""

    def __init__(self, name: str, work: Work) -> None:
        self.name = name
        self.lease: Lease | None = None
        self.found_nothing = False
        self.is_about_to_post = False
        self._work = work
        self._life: AsyncIterator[None] | None = None
        self._safe_until = work.now

    @property
    def is_idle(self) -> bool:
        """Whether it holds nothing."""
        return self._life is None

    async def claim(self, conversation_id: int) -> None:
        """Lease the conversation, if it has work and nobody has it."""
        asked_at = self._work.now
        claimed = await claims.claim(
            conversation_id=conversation_id,
            owner=self.name,
            now=asked_at,
            seconds=SECONDS,
            plan=PLAN,
        )
        if claimed:
            self.lease = claimed.lease
            self._safe_until = asked_at + timedelta(seconds=SECONDS)
            self._life = self._serve(claimed.lease, claimed.opened)

    async def step(self) -> bool:
        """Whether it still holds the lease; what is not done then is left to others."""
        if self._life is None:
            return False
        try:
            await anext(self._life)
        except StopAsyncIteration:
            self.die()
        except LeaseLost:
            self.die()
            return False
        return True

    async def keep(self) -> None:
        """Renew the lease. As `step`, raises nothing when it is lost."""
        if self.lease is None:
            return
        asked_at = self._work.now
        try:
            await conversations.keep(self.lease, asked_at)
        except LeaseLost:
            self.die()
        else:
            self._safe_until = asked_at + timedelta(seconds=SECONDS)

    async def hand_over(self) -> None:
        """As at SIGTERM."""
        lease = self.lease
        self.die()
        if lease:
            try:
                await turns.hand_over(lease, self._work.now)
            except LeaseLost:
                return

    def die(self) -> None:
        """As by SIGKILL."""
        self.lease = self._life = None
        self.found_nothing = self.is_about_to_post = False

    async def _serve(self, lease: Lease, opened: OpenTurn | None) -> AsyncIterator[None]:
        if opened is None:
            async for _ in self._deliver(lease, await outbox.due(lease.conversation_id)):
                yield
        is_idle = False
        while not is_idle:
            if opened is None:
                opened = await claims.open_next(lease, plan=PLAN, now=self._work.now)
                yield
            if opened:
                async for _ in self._finish(lease, opened):
                    yield
            opened = None
            self.found_nothing = True
            yield
            is_idle = await conversations.leave_if_idle(lease)
            self.found_nothing = False

    async def _finish(self, lease: Lease, opened: OpenTurn) -> AsyncIterator[None]:
        async for _ in self._preview(lease, opened.draft):
            yield
        for number in range(len(opened.steps) + 1, STEPS):
            self._do(opened, number)
            yield
            opened = await claims.read_again(lease, opened, room=PLAN.room)
            yield
            await steps.record(lease, _step(opened, number), self._work.now)
            self._work.journalled.add((opened.turn.id, number))
            yield
        has_ended, due = False, None
        while not has_ended:
            self._do(opened, STEPS)
            yield
            now = self._work.now
            try:
                due = await turns.end(lease, opened, _ending(opened, now), now)
                has_ended = True
            except QuestionsEdited:
                opened = await claims.read_again(lease, opened, room=PLAN.room)
                yield
        self._work.journalled.add((opened.turn.id, STEPS))
        yield
        if due is None:
            due = await outbox.due(lease.conversation_id)
        async for _ in self._deliver(lease, due):
            yield

    def _do(self, opened: OpenTurn, number: int) -> None:
        self._check()
        self._work.do(opened.turn.id, number)

    async def _preview(self, lease: Lease, draft: OutboxMessage) -> AsyncIterator[None]:
        if draft.message_id:
            return
        found = draft.key if draft.attempts and draft.key in self._work.platform.posts else None
        if found is None:
            await outbox.begin(lease, outbox_id=draft.id, now=self._work.now)
            self.is_about_to_post = True
            yield
            self._post(draft.key, is_final=False)
            yield
        await outbox.opened(lease, outbox_id=draft.id, message_id=draft.key)
        yield

    async def _deliver(self, lease: Lease, due: list[OutboxMessage]) -> AsyncIterator[None]:
        for row in due:
            if row.message_id or (row.attempts and row.key in self._work.platform.posts):
                self._check()
                self._work.platform.finished.add(row.key)
            else:
                await outbox.begin(lease, outbox_id=row.id, now=self._work.now)
                self.is_about_to_post = True
                yield
                self._post(row.key, is_final=True)
            yield
            await outbox.delivered(lease, outbox_id=row.id, message_id=row.key, now=self._work.now)
            yield

    def _post(self, key: str, *, is_final: bool) -> None:
        self._check()
        self.is_about_to_post = False
        self._work.platform.show(key, is_final=is_final)

    def _check(self) -> None:
        """As `HeldLease.check`: who may have lost the lease tells the platform nothing."""
        if self._work.now >= self._safe_until:
            raise LeaseLost("it may have lapsed")


def _step(opened: OpenTurn, number: int) -> FinishedStep:
    return FinishedStep(
        turn_id=opened.turn.id,
        number=number,
        kind=StepKind.TOOL,
        content={},
        is_first_try=opened.is_first_try,
    )


def _ending(opened: OpenTurn, now: datetime) -> Ending:
    """In one part or two, of which the first is shown already."""
    asked = [_said(MessageRole.USER, question.text, now) for question in opened.questions]
    answer = _said(MessageRole.ASSISTANT, "answer", now)
    return Ending(
        state=TurnState.DONE,
        entries=[*asked, answer],
        parts=["answer", "more"][: 1 + opened.turn.number % 2],
        message_id=opened.draft.key,
        edits=opened.turn.edits,
        step=_step(opened, STEPS),
    )


def _said(role: MessageRole, text: str, now: datetime) -> Entry:
    return Entry(role=role, author="ana", text=text, tokens=1, said_at=now)
