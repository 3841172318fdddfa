"""A tool with an effect outside of the database: a line in a file, once for each key."""

from __future__ import annotations

from pathlib import Path

from core.tools import ToolContext

CALLS = Path("calls.txt")
EFFECTS = Path("effects.txt")


def note(item: str, context: ToolContext) -> str:
    """Write something down."""
    append(CALLS, f"{context.idempotency_key} {item}")
    effects = EFFECTS.read_text().splitlines() if EFFECTS.exists() else []
    line = f"{context.idempotency_key} {item}"
    if line not in effects:
        append(EFFECTS, line)
    return f"noted {item}"


def append(file: Path, line: str) -> None:
    """Add a line at the end."""
    with file.open("a") as out:
        out.write(f"{line}\n")


def clock(timezone: str, context: ToolContext) -> str:
    """The time there; each look is written down as a note is."""
    note(timezone, context)
    return "It is noon."
