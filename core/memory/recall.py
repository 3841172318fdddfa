"""What was said in a place before, found again by the words of a question."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from core.memory.analysis import all_words
from core.memory.mending import mending
from core.memory.search import Where, search
from core.memory.showing import shown
from storage import passages
from storage.drivers.script import Script
from storage.models import MessageRole
from storage.passages import Index, Told


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What is looked for: said from then, before then, by an author of such a name."""

    since: datetime | None = None
    until: datetime | None = None
    author: str = ""

    def fit(self, told: Told) -> bool:
        """Whether a message is one of those."""
        wanted, name = _name(self.author), _name(told.author)
        is_theirs = not self.author or (told.role is MessageRole.USER and wanted <= name)
        is_late = self.since is None or told.said_at >= self.since
        return is_theirs and is_late and (self.until is None or told.said_at < self.until)


def _name(author: str) -> set[str]:
    """The words of a name, also those that would tell nothing in a text; or all of it."""
    return set(all_words(author)) or {author}


ANY = Limits()
_FEW = 600  # tokens


async def recalled(question: str, where: Where, *, tokens: int, limits: Limits = ANY) -> str:
    """As much as fits into so many tokens, the best of it; empty if nothing is found.

    For few tokens a quick look is enough.

    An index that is missing or damaged is made anew.

    Raises:
        NoIndex: the database can have none.
        DatabaseBusy, DatabaseUnusable: as everywhere.
    """

    def look(index: Index) -> Script[str]:
        best = yield from search(index, question, where, is_quick=tokens <= _FEW)
        fits: Callable[[Told], bool] | None = None if limits == ANY else limits.fit
        return (yield from shown(index, best, tokens, fits=fits)).text

    return await mending(lambda: passages.in_one_read(look))
