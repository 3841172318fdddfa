"""Steps of a turn: each model call and each tool call, journalled when it has finished."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from storage.drivers.script import (
    Script,
    Statement,
    adding,
    changing,
    one_statement,
    rows,
    script,
    together,
)
from storage.lease import Lease, fenced, held
from storage.models import Step, StepKind
from storage.usage import Call, Spent, add


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishedStep:
    """One model call or tool call, finished; steps of a turn are numbered from 1.

    `is_first_try`: nothing has failed or was interrupted in the turn since the step before.
    """

    turn_id: int
    number: int
    kind: StepKind
    content: dict[str, object]
    spent: Spent | None = None
    is_first_try: bool = False


_IS_STORED = "SELECT id FROM step WHERE turn_id = ? AND number = ?"
_STEP = (
    "INSERT INTO step (turn_id, number, kind, content, finished_at) SELECT ?, ?, ?, ?, ?"
    " FROM conversation WHERE id = ? AND token = ? FOR UPDATE"
)
_PROGRESS = (
    "UPDATE turn SET attempts = 1, interruptions = 0, lone_tries = 0"
    " WHERE id = ? AND (attempts <> 1 OR interruptions <> 0 OR lone_tries <> 0)"
)


async def record(
    lease: Lease, step: FinishedStep, now: datetime, *, is_again: bool = False
) -> None:
    """Journal a finished step; progress gives the turn its attempts back.

    `is_again`: it was tried, and may be there: what stands under the same lease is the same step.

    Raises:
        LeaseLost: somebody else has claimed the conversation since.
    """
    if step.is_first_try and not (step.spent or is_again):
        await one_statement(_add_step)(lease, step, now)
    else:
        await _record(lease, step, now, is_again=is_again)


@script
def _record(lease: Lease, step: FinishedStep, now: datetime, *, is_again: bool) -> Script[None]:
    if is_again:
        yield from held(lease)
        if (yield from rows(_IS_STORED, step.turn_id, step.number)):
            return
    yield from _add_step(lease, step, now)
    progress = [] if step.is_first_try else [changing(_PROGRESS, step.turn_id)]
    yield from together(*progress, *_usage(lease, step, now))


def _add_step(lease: Lease, step: FinishedStep, now: datetime) -> Script[None]:
    values = (step.turn_id, step.number, step.kind, step.content, now)
    yield from fenced(lease, _STEP, *values)


def _usage(lease: Lease, step: FinishedStep, now: datetime) -> list[Statement]:
    if not step.spent:
        return []
    return add(
        step.spent, Call(turn_id=step.turn_id, agent_id=lease.agent_id, step=step.number), now
    )


def last(lease: Lease, step: FinishedStep | None, now: datetime) -> list[Statement]:
    """Journal the last step of a turn that ends, if it is not journalled yet."""
    if step is None:
        return []
    kept = {"turn_id": step.turn_id, "number": step.number, "kind": step.kind}
    added = adding(Step, {**kept, "content": step.content, "finished_at": now})
    return [added, *_usage(lease, step, now)]
