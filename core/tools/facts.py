"""The tool `facts`: what is known by heart here, beyond what a prompt has room for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from core.memory.analysis import words
from core.memory.similar import most_similar
from core.text import cleaned
from core.tools import ToolContext
from storage import facts as remembered
from storage.models import Fact
from storage.side_models import FactOrigin

_MOST = 30  # facts in one result


async def facts(
    context: ToolContext,
    query: Annotated[str, Field(description="Words to look for; empty: the newest.")] = "",
    *,
    about_asker: Annotated[
        bool, Field(description="Only what the person who asks said, or others about them.")
    ] = False,
) -> str:
    """List facts known here by heart, with who said them and when, also those you are not shown."""
    known = await remembered.current(agent_id=context.agent_id, scope=context.scope)
    if about_asker:
        known = [fact for fact in known if _is_about(fact, context)]
    query = cleaned(query)
    found = _matching(known, query) if words(query) else known[-_MOST:]
    if not found:
        return "Nothing is known here about that."
    if words(query):
        await remembered.use([fact.id for fact in found])
    before = await remembered.replaced([fact.id for fact in found])
    left_out = len(known) - len(found)
    more = [f"({left_out:,} others are known.)"] if left_out else []
    return "\n".join([*(_line(fact, before.get(fact.id)) for fact in found), *more])


def _is_about(fact: Fact, context: ToolContext) -> bool:
    said = fact.author_id == context.author_id if fact.author_id else fact.said_by == context.author
    return said or context.author.casefold() in fact.text.casefold()


def _matching(known: Sequence[Fact], query: str) -> list[Fact]:
    wanted = set(words(query))
    sharing = [fact for fact in known if wanted.intersection(words(fact.text))]
    return most_similar(sharing, [query], limit=_MOST)


def _line(fact: Fact, before: Fact | None) -> str:
    how = "told by" if fact.origin == FactOrigin.TOLD else "learned from"
    source = f"fact {fact.id}, {how} {fact.said_by}, {fact.said_at:%d %B %Y}"
    if fact.contradicts:
        source += f"; it speaks against fact {fact.contradicts}, which was told earlier"
    if before:
        until = f" {before.held_until:%d %B %Y}" if before.held_until else " then"
        source += f"; until{until}: {before.text}"
    return f"- {fact.text} ({source})"
