"""Says in the core's own words that something could not be stored."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from core.errors import Transient
from storage.errors import StorageError


class NotStored(Transient):
    """Nothing of it is stored: whoever sent it must send it again."""


@contextmanager
def storing() -> Generator[None]:
    """Around what has to be stored before anybody is told.

    Raises:
        NotStored: the database refused, or is busy.
    """
    try:
        yield
    except StorageError as error:
        raise NotStored(str(error)) from error
