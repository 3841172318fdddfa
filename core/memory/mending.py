"""Does what needs the index of words once more, after an index that is gone was made anew."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from storage import passages
from storage.errors import DatabaseUnusable

log = logging.getLogger(__name__)

R = TypeVar("R")


async def mending(act: Callable[[], Awaitable[R]]) -> R:
    """What it returns; tried twice if the index was missing or damaged.

    Raises:
        DatabaseUnusable: something else is wrong.
    """
    try:
        return await act()
    except DatabaseUnusable as error:
        if not await passages.mend():
            raise
        log.warning("index of words was broken and is made anew", extra={"why": str(error)})
    return await act()
