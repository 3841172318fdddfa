"""core/tools/history.py: finding older messages by their words."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from core.errors import ToolError
from core.tools import ToolContext
from core.tools.history import history
from storage.database import Database
from storage.models import Message, MessageRole, Summary, SummaryKind


@pytest.fixture(autouse=True)
async def said(database: Database) -> None:
    await say(1, "Ana", "The budget of Project Falcon is 40,000 euros.")
    await say(2, "Assistant", "Noted: Falcon has 40,000 euros.", MessageRole.ASSISTANT)
    await say(3, "Ben", "The zoo_ticket is a long story: " + "z" * 600)
    await say(4, "Assistant", "Falcon could not be answered.", MessageRole.NOTICE)
    await say(5, "Eve", "Falcon is a secret of another conversation.", conversation_id=8)


async def say(
    seq: int,
    author: str,
    text: str,
    role: MessageRole = MessageRole.USER,
    conversation_id: int = 7,
) -> None:
    await Message.create(
        conversation_id=conversation_id,
        seq=seq,
        role=role,
        author=author,
        text=text,
        tokens=10,
        turn_id=seq,
        said_at=datetime(2026, 3, seq, 8, 30, tzinfo=UTC),
    )


async def test_messages_with_all_words_are_found_in_any_order(context: ToolContext) -> None:
    found = await history(context, "what was the falcon budget?")
    assert found == "01 March 2026 08:30 Ana: The budget of Project Falcon is 40,000 euros."


async def test_hits_are_of_this_conversation_and_oldest_first(context: ToolContext) -> None:
    found = await history(context, "Falcon")
    assert [hit[:30] for hit in found.split("\n\n")] == [
        "01 March 2026 08:30 Ana: The b",
        "02 March 2026 08:30 Assistant:",
    ]


async def test_nothing_is_found_from_before_a_reset(context: ToolContext) -> None:
    await Summary.create(
        conversation_id=7,
        upto_seq=1,
        kind=SummaryKind.RESET,
        text="",
        facts=[],
        made_at=context.now,
    )
    found = await history(context, "Falcon")
    assert found.startswith("02 March 2026 08:30 Assistant:")
    assert await history(context, "budget") == "Nothing found for: budget."


async def test_the_newest_hits_come_first_under_a_limit(context: ToolContext) -> None:
    assert (await history(context, "Falcon", 1)).startswith("02 March 2026 08:30 Assistant:")


async def test_the_longest_word_that_was_said_is_enough(context: ToolContext) -> None:
    assert "Project Falcon" in await history(context, "budget spreadsheets Falcon")


async def test_words_joined_by_an_underscore_are_found(context: ToolContext) -> None:
    assert "zoo_ticket" in await history(context, "zoo_ticket")


async def test_a_long_message_is_clipped(context: ToolContext) -> None:
    assert "[… 132 characters left out …]" in await history(context, "story")


async def test_common_words_count_when_there_are_no_others(context: ToolContext) -> None:
    assert "zoo_ticket" in await history(context, "is a")


async def test_nothing_found_is_said(context: ToolContext) -> None:
    assert await history(context, "the unicorn, where?") == "Nothing found for: unicorn."


@pytest.mark.parametrize("query", ["", " ?! ", "\ud800"])
async def test_a_query_without_words_is_told_to_the_model(query: str, context: ToolContext) -> None:
    with pytest.raises(ToolError, match="has to contain a word"):
        await history(context, query)
