"""core/tools/history.py: finding what was said before by its words."""

from __future__ import annotations

import pytest

from core.errors import ToolError
from core.llm import ToolCall
from core.tools import ToolContext
from core.tools.catalogue import toolbox
from core.tools.history import history
from tests.core.given import Stage

NOTHING = "Nothing was found. Other words for the same may find it."


@pytest.fixture
async def context(stage: Stage, context: ToolContext) -> ToolContext:
    """Of a call at the stage's room, where three have spoken."""
    await stage.say("The budget of Project Falcon is 40,000 euros.")
    await stage.say("The zoo_ticket is a long story.", author="Ben")
    await stage.worker().attend((await stage.conversation()).id)
    assert context.agent_id == (await stage.agent()).id
    return context


async def test_it_is_found_with_day_and_speaker(context: ToolContext) -> None:
    found = await history(context, "what was the falcon budget?")
    assert found.startswith("  01 March 2026\n- ana: The budget of Project Falcon is 40,000 euros.")


async def test_words_joined_by_an_underscore_are_found(context: ToolContext) -> None:
    assert "zoo_ticket" in await history(context, "zoo_ticket")


async def test_it_can_be_limited_to_an_author(context: ToolContext) -> None:
    assert "zoo_ticket" in await history(context, "story", author="Ben")
    assert await history(context, "story", author="ana") == NOTHING


@pytest.mark.parametrize(
    ("since", "until", "is_found"),
    [
        ("2026-03-01", "2026-03-01", True),
        ("2026-03-01T12:00", None, True),
        ("2026-03-02", None, False),
        (None, "2026-02-28", False),
        (None, "9999-12-31", True),
        ("9999-12-31", "9999-12-31", False),
        ("0001-01-01T00:00+14:00", "9999-12-31T23:59-12:00", True),
        (None, "2026-03-01T13:00+02:00", False),
    ],
)
async def test_it_can_be_limited_to_days(
    since: str | None, until: str | None, is_found: bool, context: ToolContext
) -> None:
    found = await history(context, "falcon", since, until)
    assert ("Falcon" in found) is is_found


async def test_nothing_found_is_said(context: ToolContext) -> None:
    assert await history(context, "the unicorn, where?") == NOTHING


@pytest.mark.parametrize("query", ["", " ?! ", "\ud800", "is a"])
async def test_a_query_that_tells_nothing_is_told_to_the_model(
    query: str, context: ToolContext
) -> None:
    with pytest.raises(ToolError, match="has to contain a distinctive word"):
        await history(context, query)


async def test_the_limits_have_the_names_that_models_expect(context: ToolContext) -> None:
    box = toolbox(("history",), with_memory=True)
    assert list(box.specs[0].parameters["properties"]) == ["query", "from", "to", "author"]  # type: ignore[call-overload]  # of JSON
    arguments = '{"query": "falcon", "from": "2026-03-01", "to": "2026-03-01", "author": "ana"}'
    result = await box.call(ToolCall(id="1", name="history", arguments=arguments), context)
    assert "Falcon" in result.text
