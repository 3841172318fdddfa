"""The tool `history`: finds older messages of the conversation by their words."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import Field

from core.errors import ToolError
from core.text import cleaned, clipped
from core.tools import ToolContext
from storage import messages
from storage.messages import Entry

_LONGEST_HIT = 500  # characters
_MOST_WORDS = 8
_MOST_TRIES = 3  # single words looked for when no message has all of them
_TELLS_NOTHING = """
    a about all an and any are as at be been but by can could did do does for from had has have he
    her his how i if in is it its me my of on or our said say she so that the their them then there
    these they this those to us was we were what when where which who why will with would you your
"""


async def history(
    context: ToolContext,
    query: Annotated[str, Field(description="A few distinctive words that were said.")],
    limit: Annotated[int, Field(ge=1, le=20, description="How many messages at most.")] = 10,
) -> str:
    """Search the older messages of this conversation, beyond what you can see. Times are UTC."""
    words = _words(query)
    longest = sorted(words, key=len, reverse=True)[:_MOST_TRIES]  # they are probably the rarest
    for attempt in (words, *([word] for word in longest)):
        found = await messages.search(context.conversation_id, words=attempt, limit=limit)
        if found:
            return "\n\n".join(map(_shown, found))
    return f"Nothing found for: {', '.join(words)}."


def _words(query: str) -> list[str]:
    """The words worth looking for, in the order and spelling given."""
    said = list(dict.fromkeys(re.findall(r"[^\W_]+", cleaned(query))))
    if not said:
        raise ToolError("query has to contain a word")
    telling = [word for word in said if word.casefold() not in _TELLS_NOTHING.split()]
    return (telling or said)[:_MOST_WORDS]


def _shown(entry: Entry) -> str:
    return f"{entry.said_at:%d %B %Y %H:%M} {entry.author}: {clipped(entry.text, _LONGEST_HIT)}"
