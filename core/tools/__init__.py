"""What an agent can do besides talking: a tool, what it is told, what it gives back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from core.address import Address


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolContext:
    """Where a tool is called from.

    `idempotency_key` is the same when a call that a crash cut in the middle is made again:
    a tool with an effect gives it to whoever carries the effect out.
    `scope` is the address whose facts the conversation may see, `address` where the conversation
    is, `author` and `author_id` who asked there. `called` are the names of the tools that were
    called for this answer before, by whichever process, in order.
    """

    idempotency_key: str
    agent_id: int
    conversation_id: int
    scope: str
    address: Address
    author: str
    author_id: str
    source_key: str
    now: datetime
    called: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A function that a model can call.

    `parameters` is a JSON Schema object; `run` gets the model's arguments as parsed JSON and
    raises `ToolError` for what the model can mend. A call may take `seconds`, or as long as
    the toolbox lets any.
    """

    name: str
    description: str
    parameters: Mapping[str, object]
    run: Callable[[Mapping[str, object], ToolContext], Awaitable[str]]
    seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolResult:
    """What the model is told; `is_error` where the tool did not do what was asked."""

    text: str
    is_error: bool
