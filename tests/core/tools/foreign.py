"""Functions as somebody who uses Moorings would write them as tools."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from datetime import date
from typing import Annotated

from pydantic import Field

from core.errors import ToolError
from core.tools import ToolContext

limit = 5


def lookup(
    ticket: Annotated[int, Field(description="The number of the ticket.")],
    tags: list[str] = ["open"],  # noqa: B006  # people write this
) -> str:
    """Look a ticket up."""
    return f"ticket {ticket}: {', '.join(tags)}"


async def whoami(where: ToolContext) -> str:
    return f"{where.author} in {where.scope}, {where.idempotency_key}"


def due(day: date) -> dict[str, object]:
    """When it is due."""
    return {"due": day, "who": "Zoë"}


def anything(value, schema="x"):  # type: ignore[no-untyped-def]  # people write this
    return [value, schema]


def later(text: str) -> Awaitable[str]:
    """Not async itself."""
    return _echo(text)


def thread() -> str:
    return threading.current_thread().name


def picky() -> str:
    raise ToolError("try a ticket number below 100")


def broken() -> str:
    raise RuntimeError("secret")


def timed_out() -> str:
    raise TimeoutError("theirs, not ours")


async def cancelled() -> None:
    raise asyncio.CancelledError("theirs, not ours")


def exits() -> None:
    """As whatever parses its arguments with argparse does."""
    raise SystemExit(2)


def noisy() -> str:
    return "\x00" + "x" * 30_000


async def endless() -> None:
    await asyncio.Event().wait()


def keywords(**options: str) -> str:
    return str(options)


def positional(*values: str) -> str:
    return str(values)


def nameless(value: str, /) -> str:
    return value


def calls_back(hook: Callable[[], str]) -> str:
    return hook()


def misspelt(value: Nowhere) -> str:  # type: ignore[name-defined]  # noqa: F821  # that is the point
    return str(value)


def prüfe() -> str:
    return "ok"


async def _echo(text: str) -> str:
    return text
