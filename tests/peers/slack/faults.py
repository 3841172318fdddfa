"""Faults that a test orders for a Web API method, drawn by count or by seeded chance."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum

from tests.peers.orders import Orders


class Trouble(StrEnum):
    RATE_LIMITED = "ratelimited"  # HTTP 429 with Retry-After, nothing done
    STATUS = "status"  # an HTTP error (500, 503, …), nothing done
    STATUS_AFTER_COMMIT = "status_after_commit"  # the same, but the effect is there
    ERROR = "error"  # ok: false with `error`, nothing done
    ERROR_AFTER_COMMIT = "error_after_commit"  # the same, but the effect is there
    DELAY = "delay"  # `seconds` before anything is done
    DELAY_AFTER_COMMIT = "delay_after_commit"  # done, then `seconds` until the answer
    DROP_BEFORE_COMMIT = "drop_before_commit"  # connection closed, nothing done
    DROP_AFTER_COMMIT = "drop_after_commit"  # done, connection closed without an answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """`method` may be `*`. Without `times` it strikes for ever, `skip` calls go by first."""

    method: str
    trouble: Trouble
    times: int | None = None
    probability: float = 1.0
    skip: int = 0
    seconds: float = 1.0
    retry_after: int = 1
    status: int = 500
    error: str = "internal_error"

    over: asyncio.Event = field(default_factory=asyncio.Event)  # set, it ends delays early

    async def passed(self) -> None:
        """Return after the delay."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self.seconds):
                await self.over.wait()

    @property
    def target(self) -> str:
        return self.method

    @property
    def is_after_commit(self) -> bool:
        return self.trouble.value.endswith("_after_commit")


class Faults(Orders[Fault]):
    def add(self, method: str, trouble: str, **details: int | float | str | None) -> Fault:
        """details: times, probability, skip, seconds, retry_after, status, error."""
        return self.give(Fault(method=method, trouble=Trouble(trouble), **details))  # type: ignore[arg-type]  # named by each test
