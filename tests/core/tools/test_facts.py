"""core/tools/facts.py: what is known by heart, on request."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.tools import ToolContext
from core.tools.facts import facts
from core.tools.remember import remember
from storage.models import Fact

pytestmark = pytest.mark.usefixtures("database")


async def told(context: ToolContext, text: str, number: int, replaces: int | None = None) -> None:
    await remember(replace(context, idempotency_key=f"k{number}"), text, replaces)


async def test_all_that_is_known_is_listed_with_its_source(context: ToolContext) -> None:
    await told(context, "Ben owns the report.", 1)
    assert await facts(context) == ("- Ben owns the report. (fact 1, told by Ana, 09 March 2026)")


async def test_what_held_before_is_said(context: ToolContext) -> None:
    await told(context, "The deadline is 15 March.", 1)
    await told(context, "The deadline is 2 April.", 2, replaces=1)
    assert await facts(context) == (
        "- The deadline is 2 April. (fact 2, told by Ana, 09 March 2026; "
        "until 09 March 2026: The deadline is 15 March.)"
    )


async def test_the_most_similar_are_found_and_count_as_used(context: ToolContext) -> None:
    for number in range(40):
        await told(context, f"Ben owns thing {number}.", number)
    await told(context, "The deadline is 2 April.", 99)
    assert (await facts(context, "when is the deadline?")).startswith("- The deadline is 2 April.")
    assert await Fact.filter(uses=1).count() == 1
    everything = await facts(context)
    assert everything.count("\n") == 30
    assert everything.endswith("(11 others are known.)")
    assert await facts(context, "marmalade") == "Nothing is known here about that."


async def test_what_is_known_about_who_asks(context: ToolContext) -> None:
    ben = replace(context, author="Ben", author_id="U2")
    await told(context, "The deadline is 2 April.", 1)
    await told(ben, "Ana likes tea.", 2)
    await told(ben, "Ben likes milk.", 3)
    known = (await facts(context, about_asker=True)).splitlines()
    assert [line.partition(" (")[0] for line in known] == [
        "- The deadline is 2 April.",
        "- Ana likes tea.",
    ]


async def test_elsewhere_nothing_of_it_is_known(context: ToolContext) -> None:
    await told(context, "The deadline is 2 April.", 1)
    elsewhere = replace(context, scope="slack/T1/C2")
    assert await facts(elsewhere) == "Nothing is known here about that."
    assert await facts(replace(context, agent_id=2)) == "Nothing is known here about that."
