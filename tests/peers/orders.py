"""Faults that a test orders, drawn by count or by seeded chance."""

from __future__ import annotations

from random import Random
from typing import Generic, Protocol, TypeVar


class Order(Protocol):
    """`target` may be `*`. Without `times` it strikes for ever, `skip` calls go by first."""

    @property
    def target(self) -> str: ...
    @property
    def times(self) -> int | None: ...
    @property
    def probability(self) -> float: ...
    @property
    def skip(self) -> int: ...


Ordered = TypeVar("Ordered", bound=Order)


class Orders(Generic[Ordered]):
    """The orders that are open, in the order they were given; the first that fits strikes."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._open: list[tuple[Ordered, list[int]]] = []  # with [seen, struck]

    def give(self, order: Ordered) -> Ordered:
        self._open.append((order, [0, 0]))
        return order

    def clear(self) -> None:
        self._open.clear()

    def draw(self, *targets: str) -> Ordered | None:
        """For what is called by each of these."""
        for order, counts in self._open:
            if order.target not in (*targets, "*"):
                continue
            counts[0] += 1
            is_spent = order.times is not None and counts[1] >= order.times
            if is_spent or counts[0] <= order.skip or self._random.random() >= order.probability:
                continue
            counts[1] += 1
            return order
        return None
