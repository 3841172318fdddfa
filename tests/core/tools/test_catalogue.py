"""core/tools/catalogue.py: from references to a toolbox."""

from __future__ import annotations

import pytest

from core.config.validation import BUILT_IN_TOOLS
from core.errors import ConfigMistake
from core.llm import ToolCall
from core.tools import ToolContext
from core.tools.catalogue import toolbox

LOOKUP = "tests.core.tools.foreign:lookup"


def test_tools_are_offered_in_the_order_given() -> None:
    box = toolbox((*BUILT_IN_TOOLS, LOOKUP), with_memory=True)
    assert [spec.name for spec in box.specs] == [*BUILT_IN_TOOLS, "lookup"]


def test_every_built_in_tool_says_what_it_does_and_asks_for_no_context() -> None:
    specs = toolbox(BUILT_IN_TOOLS, with_memory=True).specs
    assert all(spec.description for spec in specs)
    assert not any("context" in str(spec.parameters) for spec in specs)


def test_an_agent_without_memory_gets_no_tools_for_it() -> None:
    box = toolbox((*BUILT_IN_TOOLS, LOOKUP), with_memory=False)
    assert [spec.name for spec in box.specs] == ["clock", "lookup"]


@pytest.mark.parametrize("references", [(LOOKUP, LOOKUP), ("clock", "clock")])
def test_two_tools_of_one_name_are_refused(references: tuple[str, ...]) -> None:
    with pytest.raises(ConfigMistake, match="already; rename one of the two"):
        toolbox(references, with_memory=True)


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    ("name", "arguments", "told"),
    [
        ("remember", '{"text": "Ana owns it."}', "Remembered as fact 1: Ana owns it."),
        ("forget", '{"fact": 1}', "there is no fact 1 here"),
        ("forget", '{"fact": 0}', "fact: has to be at least 1, not 0"),
        ("clock", "", "Monday, 09 March 2026, 13:05 (UTC, UTC+0000)"),
        (
            "history",
            '{"query": "falcon", "from": "2026-03-01", "to": "2026-03-02", "author": "Ana"}',
            "Nothing was found. Other words for the same may find it.",
        ),
        (
            "history",
            '{"query": "falcon", "from": "March"}',
            "from has to be a day or a moment, such as 2026-03-15 or 2026-03-15T14:00",
        ),
    ],
)
async def test_a_model_can_call_every_built_in_tool(
    name: str, arguments: str, told: str, context: ToolContext
) -> None:
    box = toolbox(BUILT_IN_TOOLS, with_memory=True)
    result = await box.call(ToolCall(id="1", name=name, arguments=arguments), context)
    assert result.text == told
