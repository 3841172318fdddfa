"""How much of what comes in is stored at once: the rest is refused, before it takes up memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from core.messaging.storing import NotStored

_MOST = 1_000  # more could not be acknowledged in time


class Capacity:
    """One for each way in. Whoever sent what is refused has it still, and tries again."""

    def __init__(self, most: int | None = None) -> None:
        self._most = most
        self._in_use = 0

    @contextmanager
    def used(self) -> Iterator[None]:
        """Around what is stored before it is acknowledged.

        Raises:
            NotStored: there is no room for it now.
        """
        if self._in_use >= (self._most or _MOST):
            raise NotStored("more comes in than can be stored")
        self._in_use += 1
        try:
            yield
        finally:
            self._in_use -= 1
