"""The order of what was found: one BM25 for all databases, over the candidates that they gave."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from core.memory.passages import DATED

_K1, _B = 1.2, 0.75
_STORE = 10_000  # passages
_PERSON = 2.0  # what people said counts more than what agents made of it
_NAMED = 1.2  # what was said by the one member whom the question names


class Candidate(NamedTuple):
    """A passage with its words; `message` is the same for all passages of one message."""

    id: int
    message: tuple[int, int]
    part: int
    author: str
    is_person: bool
    words: str


def telling(many: int) -> float:
    """How much a word tells that so many passages have: BM25's inverse document frequency.

    Computed as if there were always as many passages: only which word is rarer matters, and the
    count of a common word stops at the limit of the search anyway.
    """
    return math.log(1 + (max(_STORE - many, 0) + 0.5) / (many + 0.5))


def ranked(
    candidates: Sequence[Candidate],
    asked: Mapping[bool, Sequence[Sequence[str]]],
    weights: Sequence[float],
    named: str,
) -> list[Candidate]:
    """The best first; of each message of an agent only its best passage.

    `asked` are the words of the question, each with its forms, as people's passages have them
    (True) and as agents' do, `weights` how much each tells. `named` is the author whom the
    question names, if it is one.
    """
    lengths = {each.id: each.words.count(" ") + 1 for each in candidates}
    average = sum(lengths.values()) / max(len(lengths), 1)
    numbers = {key: _by_form(words) for key, words in asked.items()}
    scores: dict[int, float] = {}
    for each in candidates:
        counts = _counted(each.words, numbers[each.is_person])
        room = _K1 * (1 - _B + _B * lengths[each.id] / average)
        score = sum(
            weights[word] * many * (_K1 + 1) / (many + room) for word, many in counts.items()
        )
        score *= _PERSON if each.is_person else 1
        scores[each.id] = score * (_NAMED if named and each.author == named else 1)
    best = sorted(candidates, key=lambda each: (-scores[each.id], each.id))
    return _once([each for each in best if scores[each.id] > 0])


def _by_form(words: Sequence[Sequence[str]]) -> dict[str, int]:
    """The number of the word that each form is one of."""
    return {form: number for number, forms in enumerate(words) for form in forms}


def _counted(words: str, numbers: Mapping[str, int]) -> dict[int, int]:
    """How often each word of the question is said."""
    counts: dict[int, int] = {}
    for word in words.split():
        if (number := numbers.get(word)) is not None:
            counts[number] = counts.get(number, 0) + 1
    return counts


def _once(best: Sequence[Candidate]) -> list[Candidate]:
    """Of each message of an agent its best passage, and what was said again the best time."""
    seen = set[tuple[int, int]]()
    said = set[str]()
    kept: list[Candidate] = []
    for each in best:
        *_, words = each.words.split(" ", DATED)  # said on another day, it is the same
        if words not in said and (each.is_person or each.message not in seen):
            kept.append(each)
        seen.add(each.message)
        said.add(words)
    return kept
