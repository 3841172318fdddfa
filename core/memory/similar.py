"""Which of the known facts are most like what was said: they share its rarest words."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence

from core.memory.analysis import words
from storage.models import Fact


def most_similar(known: Sequence[Fact], said: Iterable[str], *, limit: int) -> list[Fact]:
    """At most so many of them, the most similar first; of two equals the newer one."""
    spoken = {word for each in said for word in words(each)}
    of_each = [set(words(fact.text)) for fact in known]
    frequency = Counter(word for those in of_each for word in those)

    def score(at: int) -> float:
        return sum(
            math.log(1 + len(known) / frequency[word]) for word in of_each[at] if word in spoken
        )

    best = sorted(range(len(known)), key=lambda at: (score(at), at), reverse=True)
    return [known[at] for at in best[:limit]]
