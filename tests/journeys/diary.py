"""A tool that writes down when it is called, and under which key."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from core.tools import ToolContext
from storage.models import OutboxMessage, Step, StepKind

_SLOWLY = 0.4  # seconds
_DIARY = Path("diary.txt")


def note(item: str, context: ToolContext) -> str:
    """Write something down."""
    with _DIARY.open("a") as diary:
        diary.write(f"{context.idempotency_key} {context.now.isoformat()}\n")
    return f"noted {item}"


async def note_slowly(item: str, context: ToolContext) -> str:
    """Write something down, and take so long that people say more meanwhile."""
    noted = note(item, context)
    await asyncio.sleep(_SLOWLY)
    return noted


async def check(folder: Path, *, is_anybody_dead: bool) -> None:
    """Every finished call was made, and never again after it had finished.

    Where nobody dies, loses a lease or is suspended, every call is made once.
    """
    answers = {row.turn_id: row.key for row in await OutboxMessage.filter(part=1)}
    finished = {
        f"{answers[step.turn_id]}.{step.number}": step.finished_at
        for step in await Step.filter(kind=StepKind.TOOL)
    }
    calls = list(_calls(folder))
    assert finished.keys() <= {key for key, _ in calls}
    again = [key for key, called_at in calls if key in finished and called_at > finished[key]]
    assert not again
    assert is_anybody_dead or len(calls) == len(finished)


def _calls(folder: Path) -> Iterator[tuple[str, datetime]]:
    for line in (folder / _DIARY).read_text().splitlines():
        key, called_at = line.split()
        yield key, datetime.fromisoformat(called_at)
