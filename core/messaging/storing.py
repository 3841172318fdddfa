"""Says in the core's own words that something could not be stored."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from core.errors import Transient
from storage.errors import StorageError, Unstorable


class NotStored(Transient):
    """Nothing of it is stored: whoever sent it must send it again."""


class NeverStored(NotStored):
    """Sent again it will not be stored, either: the database cannot hold it."""


@contextmanager
def storing() -> Generator[None]:
    """Around what has to be stored before anybody is told.

    Raises:
        NotStored: the database refused, or is busy.
    """
    try:
        yield
    except Unstorable as error:
        raise NeverStored(str(error)) from error
    except StorageError as error:
        raise NotStored(str(error)) from error
