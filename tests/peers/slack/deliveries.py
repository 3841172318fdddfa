"""Deliveries to the bot: sent, tried again on Slack's schedule, acknowledged or given up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field, replace
from random import Random
from typing import Literal, Protocol

from tests.peers.slack.wire import Json, copied

Kind = Literal["events_api", "slash_commands", "interactive"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """Seconds. Slack: 3 s to acknowledge; events again at once, a minute and five minutes later.

    `patience` is the deadline of what people do, which is never sent again, where it is another.
    """

    deadline: float = 3.0
    patience: float | None = None
    retries: tuple[float, ...] = (0.0, 60.0, 300.0)

    def delayed(self, hours: int = 24, hour: float = 3600.0) -> Schedule:
        """With the opt-in Delayed Events: one more try an hour."""
        return replace(self, retries=self.retries + (hour,) * hours)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One try. `envelope_id`: in HTTP mode the request's number; empty if nobody listened."""

    number: int
    envelope_id: str
    is_acked: bool
    reason: str = ""
    reply: Json = field(default_factory=Json)
    socket: int = 0


@dataclass(slots=True, kw_only=True)
class Delivery:
    """One event, command or interaction, with every attempt to hand it over."""

    kind: Kind
    payload: Json
    attempts: list[Attempt] = field(default_factory=list)
    state: Literal["waiting", "acked", "given_up"] = "waiting"

    @property
    def event_id(self) -> str:
        return str(self.payload.get("event_id", ""))

    @property
    def event(self) -> Json:
        return Json(self.payload.get("event", {}))

    @property
    def is_acked(self) -> bool:
        return self.state == "acked"

    @property
    def reply(self) -> Json:
        """What the acknowledgement carried."""
        return self.attempts[-1].reply if self.attempts and self.is_acked else Json()


class Carrier(Protocol):
    """Socket Mode or HTTP mode."""

    async def attempt(
        self, delivery: Delivery, number: int, reason: str, deadline: float
    ) -> Attempt: ...


class Deliveries:
    """Runs each delivery as a task of its own, so nothing is in order and nothing waits."""

    def __init__(self, schedule: Schedule, random: Random, carrier: Carrier) -> None:
        self.schedule = schedule
        self.carrier = carrier
        self.all: list[Delivery] = []
        self.lag = 0.0  # up to so many seconds before the first attempt: reorders
        self.duplicate = 0.0  # chance that a first attempt is sent twice
        self._random = random
        self._gate = asyncio.Event()
        self._gate.set()
        self._start: Callable[[Coroutine[None, None, None]], object] | None = None

    def bind(self, start: Callable[[Coroutine[None, None, None]], object]) -> None:
        self._start = start

    def hold(self) -> None:
        """Nothing is attempted until `release`."""
        self._gate.clear()

    def release(self) -> None:
        self._gate.set()

    @property
    def waiting(self) -> list[Delivery]:
        return [delivery for delivery in self.all if delivery.state == "waiting"]

    def send(
        self, kind: Kind, payload: Json, then: Callable[[Delivery], None] | None = None
    ) -> Delivery:
        """`then` is told once the delivery is acknowledged or given up."""
        if self._start is None:
            raise RuntimeError("start the peer first")
        delivery = Delivery(kind=kind, payload=copied(payload))
        self.all.append(delivery)
        self._start(self._deliver(delivery, then))
        return delivery

    async def _deliver(self, delivery: Delivery, then: Callable[[Delivery], None] | None) -> None:
        is_event = delivery.kind == "events_api"
        retries = self.schedule.retries if is_event else ()
        await asyncio.sleep(self._random.uniform(0, self.lag))
        reason = ""
        for number, pause in enumerate((0.0, *retries)):
            await asyncio.sleep(pause)
            await self._gate.wait()
            if self._start and not number and self._random.random() < self.duplicate:
                self._start(self._again(delivery))
            patience = None if is_event else self.schedule.patience
            deadline = patience or self.schedule.deadline
            attempt = await self.carrier.attempt(delivery, number, reason, deadline)
            delivery.attempts.append(attempt)
            if attempt.is_acked:
                delivery.state = "acked"
                break
            reason = attempt.reason
            if reason == "no_retry":
                break
        if delivery.state == "waiting":
            delivery.state = "given_up"
        if then:
            then(delivery)

    async def _again(self, delivery: Delivery) -> None:
        await self.carrier.attempt(delivery, 0, "", self.schedule.deadline)
