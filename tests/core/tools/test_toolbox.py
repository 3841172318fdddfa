"""core/tools/toolbox.py: one call of the model, whatever happens in it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

import pytest

from core.llm import ToolCall
from core.tools import Tool, ToolContext, ToolResult
from core.tools.function import Function, tool_from
from core.tools.toolbox import Toolbox
from storage.errors import DatabaseBusy
from tests.core.tools import foreign


def box(*functions: Function, seconds: float = 60) -> Toolbox:
    tools = [tool_from(function, getattr(function, "__name__", "")) for function in functions]
    return Toolbox(tools, seconds=seconds)


async def called(
    toolbox: Toolbox, name: str, context: ToolContext, arguments: str = "{}"
) -> ToolResult:
    return await toolbox.call(ToolCall(id="1", name=name, arguments=arguments), context)


def failure(text: str) -> ToolResult:
    return ToolResult(text=text, is_error=True)


def test_a_toolbox_offers_its_tools() -> None:
    (spec,) = box(foreign.lookup).specs
    assert (spec.name, spec.description) == ("lookup", "Look a ticket up.")
    assert spec.parameters["required"] == ["ticket"]


async def test_the_model_gets_the_text_of_the_tool(context: ToolContext) -> None:
    result = await called(box(foreign.lookup), "lookup", context, '{"ticket": 3}')
    assert result == ToolResult(text="ticket 3: open", is_error=False)


async def test_no_arguments_at_all_are_an_empty_object(context: ToolContext) -> None:
    result = await called(box(foreign.whoami), "whoami", context, " ")
    assert not result.is_error


async def test_an_unknown_tool_is_answered_with_those_there_are(context: ToolContext) -> None:
    toolbox = box(foreign.lookup, foreign.due)
    assert await called(toolbox, "find", context) == failure(
        "there is no tool 'find'; the tools are: lookup, due"
    )
    assert await called(box(), "find", context) == failure(
        "there is no tool 'find'; the tools are: none"
    )


@pytest.mark.parametrize("arguments", ["{", "[1]", "null", "[" * 20])
async def test_arguments_that_are_no_object_are_told_to_the_model(
    arguments: str, context: ToolContext
) -> None:
    result = await called(box(foreign.lookup), "lookup", context, arguments)
    assert result.is_error
    assert result.text.startswith("the arguments ")


async def test_a_tool_error_is_told_to_the_model(context: ToolContext) -> None:
    result = await called(box(foreign.picky), "picky", context)
    assert result == failure("try a ticket number below 100")


async def test_a_tool_that_takes_too_long_is_cut_off(context: ToolContext) -> None:
    result = await called(box(foreign.endless, seconds=0.01), "endless", context)
    assert result == failure("the tool did not finish within 0.01 seconds")


@pytest.mark.parametrize(
    "function", [foreign.broken, foreign.timed_out, foreign.cancelled, foreign.exits]
)
async def test_an_unexpected_failure_is_logged_without_arguments(
    function: Function, context: ToolContext, caplog: pytest.LogCaptureFixture
) -> None:
    name = getattr(function, "__name__", "")
    assert await called(box(function), name, context) == failure("the tool failed unexpectedly")
    (record,) = caplog.records
    assert (record.levelno, record.getMessage()) == (logging.ERROR, "tool failed")
    assert vars(record).items() >= {"tool": name, "idempotency_key": "turn-1.2"}.items()
    assert record.exc_info


async def test_a_result_is_cleaned_and_clipped(context: ToolContext) -> None:
    result = await called(box(foreign.noisy), "noisy", context)
    assert result.text == "x" * 20_000 + "\n[… 10,000 characters left out …]"


async def test_a_cancelled_call_stays_cancelled(context: ToolContext) -> None:
    async with asyncio.TaskGroup() as group:
        task = group.create_task(called(box(foreign.endless), "endless", context))
        await asyncio.sleep(0)
        task.cancel()
    assert task.cancelled()


async def test_a_failing_database_ends_the_attempt(context: ToolContext) -> None:
    async def run(_: Mapping[str, object], __: ToolContext) -> str:
        raise DatabaseBusy("locked")

    tool = Tool(name="remember", description="", parameters={}, run=run)
    with pytest.raises(DatabaseBusy):
        await called(Toolbox([tool]), "remember", context)
