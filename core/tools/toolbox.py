"""The tools of one agent: runs one call of the model, and turns whatever happens into a result."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterable
from typing import cast

from core.errors import ConfigMistake, ToolError
from core.isolation import contained
from core.llm import ToolCall, ToolSpec
from core.text import cleaned, clipped
from core.tools import Tool, ToolContext, ToolResult
from storage.errors import StorageError

log = logging.getLogger(__name__)

_LONGEST_RESULT = 20_000  # characters


class Toolbox:
    """What one agent can do; a call may take `seconds`."""

    def __init__(self, tools: Iterable[Tool], *, seconds: float = 60) -> None:
        self._tools = {tool.name: tool for tool in tools}
        self._seconds = seconds

    def with_tool(self, tool: Tool) -> Toolbox:
        """The same with one more.

        Raises:
            ConfigMistake: there is one of its name already.
        """
        if tool.name in self._tools:
            raise ConfigMistake(f"there are two tools {tool.name!r}: rename yours")
        return Toolbox([*self._tools.values(), tool], seconds=self._seconds)

    @property
    def specs(self) -> tuple[ToolSpec, ...]:
        """The tools as a model sees them, always in the same order."""
        return tuple(
            ToolSpec(name=tool.name, description=tool.description, parameters=tool.parameters)
            for tool in self._tools.values()
        )

    async def call(self, call: ToolCall, context: ToolContext) -> ToolResult:
        """Run the tool; what goes wrong becomes a result that the model can read.

        Raises:
            StorageError: our own database failed, so the step could not be kept either.
        """
        tool = self._tools.get(call.name)
        seconds = (tool and tool.seconds) or self._seconds
        limit = asyncio.timeout(seconds)
        try:
            async with limit:
                with contained():
                    return _result(await self._run(call, context))
        except ToolError as error:
            return _failure(str(error))
        except StorageError:
            raise
        except Exception:
            if limit.expired():
                return _failure(f"the tool did not finish within {seconds:g} seconds")
            extra = {"tool": call.name, "idempotency_key": context.idempotency_key}
            log.exception("tool failed", extra=extra)
            return _failure("the tool failed unexpectedly")

    async def briefing(self, question: str, context: ToolContext) -> str:
        """What those tools that only look something up say about a question, as one note."""
        told: list[str] = []
        for name, arguments in (("clock", {}), ("history", {"query": question})):
            if name in self._tools:
                call = ToolCall(id=name, name=name, arguments=json.dumps(arguments))
                result = await self.call(call, context)
                told += [] if result.is_error else [f"{name}: {result.text}"]
        return "(Looked up for you:\n" + "\n\n".join(told) + ")" if told else ""

    async def _run(self, call: ToolCall, context: ToolContext) -> str:
        tool = self._tools.get(call.name)
        if tool is None:
            known = ", ".join(self._tools) or "none"
            raise ToolError(f"there is no tool {call.name!r}; the tools are: {known}")
        return await tool.run(_arguments(call), context)


def _arguments(call: ToolCall) -> dict[str, object]:
    """Many models write nothing at all where there is nothing to pass."""
    try:
        arguments: object = json.loads(call.arguments.strip() or "{}")
    except ValueError as error:
        raise ToolError(f"the arguments are not valid JSON: {error}") from error
    if not isinstance(arguments, dict):
        raise ToolError("the arguments have to be a JSON object")
    return cast("dict[str, object]", arguments)


def _result(text: str) -> ToolResult:
    return ToolResult(text=clipped(cleaned(text), _LONGEST_RESULT), is_error=False)


def _failure(text: str) -> ToolResult:
    return ToolResult(text=clipped(cleaned(text), _LONGEST_RESULT), is_error=True)
