"""The tool `history`: finds what was said here before, by its words."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Annotated

from pydantic import Field

from core.errors import ToolError
from core.memory.analysis import question_words
from core.memory.recall import Limits, recalled
from core.memory.search import Where
from core.memory.terms import Scope
from core.text import cleaned
from core.tools import ToolContext
from storage.errors import NoIndex

_TOKENS = 1_500
_EXAMPLE = "such as 2026-03-15 or 2026-03-15T14:00"

Day = Annotated[str, Field(description=f"A day or a moment in UTC, {_EXAMPLE}.")]


async def history(
    context: ToolContext,
    query: Annotated[str, Field(description="A few distinctive words that were said.")],
    since: Annotated[Day | None, Field(alias="from")] = None,
    until: Annotated[Day | None, Field(alias="to")] = None,
    author: Annotated[str | None, Field(description="The name of whoever said it.")] = None,
) -> str:
    """Search what was said here before, beyond what you can see, in this channel's threads, too."""
    text = cleaned(query)
    if not question_words(text):
        raise ToolError("query has to contain a distinctive word: one that tells something")
    limits = Limits(
        since=_moment("from", since, whole_day=False),
        until=_moment("to", until, whole_day=True),
        author=cleaned(author or ""),
    )
    where = Where(scope=Scope(context.agent_id, context.scope))
    try:
        found = await recalled(text, where, tokens=_TOKENS, limits=limits)
    except NoIndex:
        return "What was said before cannot be searched here: the database has no index of words."
    return found or "Nothing was found. Other words for the same may find it."


def _moment(name: str, given: str | None, *, whole_day: bool) -> datetime | None:
    """A day that ends the search belongs to it.

    Raises:
        ToolError: it is none.
    """
    if not given:
        return None
    try:
        found = datetime.fromisoformat(given)
    except ValueError as error:
        raise ToolError(f"{name} has to be a day or a moment, {_EXAMPLE}") from error
    is_day = whole_day and len(given) <= len("2026-03-15")
    found = found if found.tzinfo else found.replace(tzinfo=UTC)
    if not is_day:
        return found
    return found + timedelta(days=1) if found.date() < date.max else None
