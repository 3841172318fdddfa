"""The file of a database: that it can be opened, that there is room, that it is still there."""

from __future__ import annotations

import errno
import os
import sqlite3
import tempfile
from pathlib import Path

from storage.errors import DatabaseUnusable

_ROOM = 1_000_000  # bytes: a new database, with what SQLite writes beside it
_FULL = {errno.ENOSPC, errno.EDQUOT}


def check_openable(file: Path) -> None:
    """Open it once: what cannot be opened leaves aiosqlite's thread in an error of its own.

    Raises:
        DatabaseUnusable: its folder is not there, or not writable.
    """
    _check_folder(file)
    try:
        sqlite3.connect(file).close()
    except sqlite3.Error as error:
        raise DatabaseUnusable(
            f"The database file {file} cannot be opened: make its folder writable for this user, "
            "or change DATABASE_URL."
        ) from error


def check_room(file: Path) -> None:
    """Try whether its folder takes files, and a new database's worth of them; leaves none.

    Raises:
        DatabaseUnusable: as above, or the disk is full.
    """
    _check_folder(file)
    try:
        with tempfile.TemporaryFile(dir=file.parent) as trial:
            trial.write(bytes(_ROOM))
            trial.flush()
    except OSError as error:
        if error.errno in _FULL:
            raise DatabaseUnusable(
                f"The disk with {file.parent} is full: free some space; nothing can be stored."
            ) from error
        raise DatabaseUnusable(
            f"The folder {file.parent} is not writable for this user: "
            "change its owner, or change DATABASE_URL."
        ) from error


class OpenedFile:
    """The file behind a path, as it was when it was opened."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._opened = os.stat(path)

    def check(self) -> None:
        """Find out by one look at the path whether it still leads there.

        Raises:
            DatabaseUnusable: it does not, and nobody will ever read what is written.
        """
        try:
            is_there = os.path.samestat(self._opened, os.stat(self._path))
        except (FileNotFoundError, NotADirectoryError):
            is_there = False
        if not is_there:
            raise DatabaseUnusable(
                f"The database file {self._path} is not the one that was opened: it was deleted, "
                "moved or replaced. Put it back, or restore a backup, and start again."
            )


def _check_folder(file: Path) -> None:
    if not file.parent.is_dir():
        raise DatabaseUnusable(
            f"The folder {file.parent} of the database does not exist: "
            "make it, mount its volume, or change DATABASE_URL."
        )
    if file.is_dir():
        raise DatabaseUnusable(f"{file} is a folder: DATABASE_URL has to name a file.")
