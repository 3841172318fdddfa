"""Finds again what was said in a place, in the words of a question."""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from core.address import Address
from core.memory.analysis import question_words, words
from core.memory.ranking import Candidate, ranked, telling
from core.memory.terms import Scope
from storage.drivers.script import Script
from storage.passages import Found, Index

_MOST_WORDS = 16  # of a question: the first of a long one say what it is about
_RARE = 500  # passages that a word may have to be rare: all of these are looked at
_MOST_COMMON = 3  # words that are not rare, of which two together are looked for
_QUOTA = {True: 300, False: 100}  # candidates of people and, apart from them, of agents
_QUICK = 3  # how many times fewer there are for a quick look

Terms = Mapping[bool, list[list[str]]]  # of people and of agents, each word with its forms


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """Who searches where; of conversation `apart_from[0]`, nothing from that seq on."""

    scope: Scope
    apart_from: tuple[int, int] = (0, 0)


def search(
    index: Index, question: str, where: Where, *, is_quick: bool = False
) -> Script[list[Candidate]]:
    """The passages that answer it best, the best first.

    A quick look has fewer candidates: the best ten of them are much the same.

    What is asked of the database does not depend on how much there is: of words that are common
    in the place only those passages are candidates that have two of them, or a rare one.
    """
    said = question_words(question)[:_MOST_WORDS]
    if not said:
        return []
    terms = {key: where.scope.asked(said, of_people=key) for key in (True, False)}
    chosen, weights = yield from _chosen(index, terms, _QUICK if is_quick else 1)
    ids = [number for some in chosen.values() for number in some]
    people = set(chosen[True])
    told = yield from index.of_agent(where.scope.agent_id, ids)
    found = [
        Candidate(
            id=each.id,
            message=(each.conversation_id, each.seq),
            part=each.part,
            author=each.author,
            is_person=each.id in people,
            words=each.words,
        )
        for each in _there(told, where)
    ]
    return ranked(found, terms, weights, _named(question, found))


def _chosen(
    index: Index, terms: Terms, part: int
) -> Script[tuple[dict[bool, list[int]], list[float]]]:
    """The ids of the candidates of people and of agents, and how much each word tells."""
    single = [[word] for key in terms for word in terms[key]]
    lists = yield from index.find(single, limit=_RARE + 1)
    number = len(terms[True])
    of = {True: lists[:number], False: lists[number:]}
    weights = [telling(len(of[True][at]) + len(of[False][at])) for at in range(number)]
    sums = {key: dict[int, float]() for key in terms}
    pairs: list[tuple[bool, tuple[int, ...]]] = []
    for key, found in of.items():
        common = [at for at, ids in enumerate(found) if len(ids) > _RARE]
        for at, ids in enumerate(found):
            if at not in common:
                _add(sums[key], ids, weights[at])
        pairs += [(key, some) for some in _together(common[:_MOST_COMMON])]
    if pairs:
        both = [[terms[key][at] for at in some] for key, some in pairs]
        found_both = yield from index.find(both, limit=_RARE)
        for (key, some), ids in zip(pairs, found_both, strict=True):
            _add(sums[key], ids, sum(weights[at] for at in some))
    for key, found in of.items():
        if not sums[key]:  # a common word is better than nothing
            for at, ids in enumerate(found):
                _add(sums[key], ids, weights[at])
    best = {key: _best(sums[key], _QUOTA[key] // part) for key in terms}
    return best, weights


def _together(common: Sequence[int]) -> list[tuple[int, ...]]:
    """All of them, and each two."""
    return [tuple(common)] * (len(common) > 2) + list(combinations(common, 2))


def _add(sums: dict[int, float], ids: Sequence[int], weight: float) -> None:
    known = sums.get
    for number in ids:
        sums[number] = known(number, 0) + weight


def _best(sums: Mapping[int, float], most: int) -> list[int]:
    return heapq.nlargest(most, sums, key=lambda number: (sums[number], -number))


def _there(found: Sequence[Found], where: Where) -> list[Found]:
    """Who can read it is told by the conversation as it is now, whatever the index says."""
    places = {(each.address, each.readers) for each in found}
    here = {each for each in places if Address.parse(*each).scope == where.scope.place}
    conversation_id, end = where.apart_from
    return [
        each
        for each in found
        if (each.address, each.readers) in here
        if each.conversation_id != conversation_id or each.seq < end
    ]


def _named(question: str, found: Sequence[Candidate]) -> str:
    """The one member whom a question names, if it is one."""
    said = set(words(question))
    authors = {each.author for each in found if each.is_person}
    named = [author for author in authors if not said.isdisjoint(words(author))]
    return named[0] if len(named) == 1 else ""
