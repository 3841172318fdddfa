"""The tools `remember` and `forget`: facts that outlive the model's view of the history."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from core.errors import ToolError
from core.text import cleaned
from core.tools import ToolContext
from storage import facts
from storage.facts import Statement

_LONGEST_FACT = 1_000  # characters

FactNumber = Annotated[int, Field(ge=1, le=2**53, description="The number of a fact.")]


async def remember(
    context: ToolContext,
    text: Annotated[
        str,
        Field(
            description="One statement that can be understood by itself: "
            "names instead of pronouns, absolute dates instead of 'tomorrow'."
        ),
    ],
    replaces: Annotated[
        FactNumber | None, Field(description="The number of the fact that is no longer true.")
    ] = None,
) -> str:
    """Remember a fact for good, when somebody asks for it or it will matter later."""
    text = _checked(text)
    if replaces is not None:
        await _must_exist(context, replaces)
    fact = await facts.add(_statement(context, text))
    if replaces is None:
        return f"Remembered as fact {fact.id}: {fact.text}"
    await facts.supersede(
        fact_id=replaces,
        by=fact.id,
        agent_id=context.agent_id,
        scope=context.scope,
        now=context.now,
    )
    return f"Remembered as fact {fact.id}, in place of fact {replaces}: {fact.text}"


async def forget(context: ToolContext, fact: FactNumber) -> str:
    """Forget a fact, when somebody asks for it."""
    await _must_exist(context, fact)
    await facts.forget(
        fact_id=fact, agent_id=context.agent_id, scope=context.scope, now=context.now
    )
    return f"Forgot fact {fact}."


def _checked(text: str) -> str:
    text = cleaned(text)
    if not text:
        raise ToolError("there is nothing to remember: text is empty")
    if len(text) > _LONGEST_FACT:
        raise ToolError(f"text has {len(text):,} characters; a fact has at most {_LONGEST_FACT:,}")
    return text


def _statement(context: ToolContext, text: str) -> Statement:
    return Statement(
        key=context.idempotency_key,
        agent_id=context.agent_id,
        scope=context.scope,
        text=text,
        said_by=context.author,
        source_key=context.source_key,
        said_at=context.now,
        author_id=context.author_id,
        place=context.address.key,
    )


async def _must_exist(context: ToolContext, number: int) -> None:
    """Superseded and forgotten ones exist: the call may be the second run of itself."""
    fact = await facts.find(fact_id=number, agent_id=context.agent_id, scope=context.scope)
    if fact is None:
        raise ToolError(f"there is no fact {number} here")
