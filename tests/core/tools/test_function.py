"""core/tools/function.py: a function's signature as a tool."""

from __future__ import annotations

import pytest

from core.errors import ConfigMistake, ToolError
from core.tools import ToolContext
from core.tools.function import Function, tool_from
from tests.core.tools import foreign


async def outcome(function: Function, context: ToolContext, **arguments: object) -> str:
    return await tool_from(function, "tool").run(arguments, context)


def test_signature_and_docstring_are_what_the_model_sees() -> None:
    tool = tool_from(foreign.lookup, "lookup")
    assert (tool.name, tool.description) == ("lookup", "Look a ticket up.")
    assert tool.parameters == {
        "title": "lookup",
        "type": "object",
        "additionalProperties": False,
        "required": ["ticket"],
        "properties": {
            "ticket": {
                "title": "Ticket",
                "type": "integer",
                "description": "The number of the ticket.",
            },
            "tags": {"title": "Tags", "type": "array", "items": {"type": "string"}},
        },
    }


async def test_what_the_model_left_out_has_its_default(context: ToolContext) -> None:
    assert await outcome(foreign.lookup, context, ticket=3) == "ticket 3: open"


async def test_arguments_become_what_the_annotations_say(context: ToolContext) -> None:
    assert await outcome(foreign.lookup, context, ticket="3", tags=["a"]) == "ticket 3: a"


async def test_the_context_is_given_and_not_asked_for(context: ToolContext) -> None:
    assert tool_from(foreign.whoami, "whoami").parameters["properties"] == {}
    assert await outcome(foreign.whoami, context) == "Ana in slack/T1/C1, turn-1.2"


async def test_the_context_cannot_be_forged(context: ToolContext) -> None:
    with pytest.raises(ToolError, match="where: unknown key"):
        await outcome(foreign.whoami, context, where="slack/T1/SECRET")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({}, "ticket: is missing"),
        ({"ticket": "x"}, "ticket: has to be a whole number, not 'x'"),
        ({"ticket": 1, "tags": [1]}, "tags.0: has to be text in quotes, not 1"),
        ({"ticket": 1, "tag": []}, "tag: unknown key; did you mean 'tags'?"),
        ({"tags": ""}, "ticket: is missing; tags: has to be a list, not ''"),
    ],
)
async def test_wrong_arguments_are_told_to_the_model(
    arguments: dict[str, object], complaint: str, context: ToolContext
) -> None:
    with pytest.raises(ToolError) as caught:
        await outcome(foreign.lookup, context, **arguments)
    assert set(str(caught.value).split("; ")) == set(complaint.split("; "))


async def test_a_result_that_is_no_text_becomes_json(context: ToolContext) -> None:
    told = await outcome(foreign.due, context, day="2026-03-15")
    assert told == '{"due": "2026-03-15", "who": "Zoë"}'


async def test_parameters_without_annotation_take_anything(context: ToolContext) -> None:
    assert await outcome(foreign.anything, context, value={"a": 1}) == '[{"a": 1}, "x"]'


async def test_a_function_that_returns_an_awaitable_is_awaited(context: ToolContext) -> None:
    assert await outcome(foreign.later, context, text="hi") == "hi"


async def test_a_function_that_is_not_async_runs_in_a_thread(context: ToolContext) -> None:
    assert await outcome(foreign.thread, context) != "MainThread"


@pytest.mark.parametrize("function", [foreign.keywords, foreign.positional, foreign.nameless])
def test_parameters_without_a_name_are_refused(function: Function) -> None:
    with pytest.raises(ConfigMistake, match="each parameter needs a name"):
        tool_from(function, "tool")
