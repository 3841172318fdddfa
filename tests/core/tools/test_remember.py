"""core/tools/remember.py: facts that an agent is told to remember and to forget."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.errors import ToolError
from core.tools import ToolContext
from core.tools.function import tool_from
from core.tools.remember import forget, remember
from storage import facts

pytestmark = pytest.mark.usefixtures("database")


async def remembered(context: ToolContext) -> list[tuple[int, str]]:
    current = await facts.current(agent_id=context.agent_id, scope=context.scope)
    return [(fact.id, fact.text) for fact in current]


async def test_a_fact_is_remembered_with_its_source(context: ToolContext) -> None:
    assert await remember(context, " Ana owns it. ") == "Remembered as fact 1: Ana owns it."
    (fact,) = await facts.current(agent_id=1, scope="slack/T1/C1")
    assert (fact.text, fact.said_by, fact.source_key, fact.said_at) == (
        "Ana owns it.",
        "Ana",
        "slack/T1/C1/1.5",
        context.now,
    )


async def test_the_same_call_again_is_the_same_fact(context: ToolContext) -> None:
    first = await remember(context, "Ana owns it.")
    assert await remember(context, "Ana owns it.") == first
    assert await remembered(context) == [(1, "Ana owns it.")]


async def test_a_newer_fact_takes_the_place_of_an_older_one(context: ToolContext) -> None:
    await remember(context, "Due on 15 March.")
    newer = replace(context, idempotency_key="turn-2.2")
    told = "Remembered as fact 2, in place of fact 1: Due on 20 March."
    assert await remember(newer, "Due on 20 March.", 1) == told
    assert await remember(newer, "Due on 20 March.", 1) == told
    assert await remembered(context) == [(2, "Due on 20 March.")]


async def test_an_unknown_fact_cannot_be_replaced(context: ToolContext) -> None:
    with pytest.raises(ToolError, match="no fact 9 here"):
        await remember(context, "Due on 20 March.", 9)
    assert await remembered(context) == []


async def test_a_number_beyond_any_fact_is_told_to_the_model(context: ToolContext) -> None:
    with pytest.raises(ToolError, match="fact: has to be at most"):
        await tool_from(forget, "forget").run({"fact": 10**30}, context)


@pytest.mark.parametrize("text", ["", " \n\x00", "x" * 1_001])
async def test_a_text_that_is_no_fact_is_told_to_the_model(text: str, context: ToolContext) -> None:
    with pytest.raises(ToolError):
        await remember(context, text)


async def test_a_fact_of_the_greatest_length_is_remembered(context: ToolContext) -> None:
    await remember(context, "x" * 1_000)
    assert await remembered(context) == [(1, "x" * 1_000)]


async def test_a_forgotten_fact_is_gone_and_forgetting_it_again_says_the_same(
    context: ToolContext,
) -> None:
    await remember(context, "Ana owns it.")
    assert await forget(context, 1) == "Forgot fact 1."
    assert await forget(context, 1) == "Forgot fact 1."
    assert await remembered(context) == []


async def test_a_fact_of_another_scope_cannot_be_forgotten(context: ToolContext) -> None:
    await remember(context, "Ana owns it.")
    with pytest.raises(ToolError, match="no fact 1 here"):
        await forget(replace(context, scope="slack/T1/C2"), 1)
    assert await remembered(context) == [(1, "Ana owns it.")]
