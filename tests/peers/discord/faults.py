"""Faults that a test orders for an endpoint, drawn by count or by seeded chance."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum

from tests.peers.orders import Orders


class Trouble(StrEnum):
    RATE_LIMITED = "ratelimited"  # 429 of the bucket, nothing done
    RATE_LIMITED_GLOBALLY = "ratelimited_globally"  # 429 of the whole bot, nothing done
    BANNED = "banned"  # 429 from Cloudflare: no Via, no JSON
    STATUS = "status"  # an HTTP error (500, 502, 503, …), nothing done
    STATUS_AFTER_COMMIT = "status_after_commit"  # the same, but the effect is there
    ERROR = "error"  # a JSON error with `status` and `code`, nothing done
    DELAY = "delay"  # `seconds` before anything is done
    DELAY_AFTER_COMMIT = "delay_after_commit"  # done, then `seconds` until the answer
    DROP_BEFORE_COMMIT = "drop_before_commit"  # connection cut, nothing done
    DROP_AFTER_COMMIT = "drop_after_commit"  # done, connection cut without an answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """`label` may be `*`, or have a path behind it.

    Without `times` it strikes for ever, `skip` calls go by first.
    """

    label: str
    trouble: Trouble
    times: int | None = None
    probability: float = 1.0
    skip: int = 0
    seconds: float = 1.0
    retry_after: float = 0.3
    status: int = 500
    code: int = 0
    message: str = "Ordered by a test"

    over: asyncio.Event = field(default_factory=asyncio.Event)  # set, it ends delays early

    async def passed(self) -> None:
        """Return after the delay."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self.seconds):
                await self.over.wait()

    @property
    def target(self) -> str:
        return self.label

    @property
    def is_after_commit(self) -> bool:
        return self.trouble.value.endswith("_after_commit")


class Faults(Orders[Fault]):
    def add(self, label: str, trouble: str, **details: float | str | None) -> Fault:
        """details: times, probability, skip, seconds, retry_after, status, code, message."""
        return self.give(Fault(label=label, trouble=Trouble(trouble), **details))  # type: ignore[arg-type]  # named by each test
