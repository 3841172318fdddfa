"""What can go wrong with the database."""

from __future__ import annotations


class StorageError(Exception):
    """The root; `str()` is one sentence that says what happened and what to do."""


class DatabaseUnusable(StorageError):
    """The URL, the file or the server cannot be used as it is; the operator must act."""


class Unstorable(DatabaseUnusable):
    """The database cannot hold what it was given, whenever that is tried: all else is well."""


class NoIndex(DatabaseUnusable):
    """The database can have no index of words: nothing that was said is found again."""


class DatabaseBusy(StorageError):
    """Another process kept the database locked, or it is out of reach; it may work later."""


class Unreached(DatabaseBusy):
    """Nobody answers at its address, or only by its silence."""


class NewerDatabase(DatabaseUnusable):
    """The database belongs to a later version of this program."""


class LeaseLost(StorageError):
    """Somebody else works on this conversation now; stop, and write nothing more."""
