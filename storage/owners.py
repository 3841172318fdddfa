"""Which processes on this machine still live, so that a dead one's work is taken over at once."""

from __future__ import annotations

import os
import secrets
import socket
from pathlib import Path

from filelock import BaseFileLock, FileLock, Timeout

_UNLOCKED = "."  # begins the name of a file until it is locked: else its owner would count as dead


class Owner:
    """This process as the owner of leases.

    Beside a database file it holds a lock on a file of its own: the kernel lets go of it when
    the process dies, however it dies. Without a file (a server's database) only leases tell.
    """

    def __init__(self, database: Path | None) -> None:
        self.name = f"{socket.gethostname()[:60]}.{os.getpid()}.{secrets.token_hex(4)}"
        self._folder = _folder(database) if database else None
        self._lock: BaseFileLock | None = None
        if self._folder:
            self._folder.mkdir(exist_ok=True)
            self._lock = FileLock(str(self._folder / f"{_UNLOCKED}{self.name}"))
            self._lock.acquire()
            os.rename(self._lock.lock_file, self._folder / self.name)

    def leave(self) -> None:
        """Let go of the lock and remove its file; the owner must hold no lease any more."""
        if self._lock and self._folder:
            self._lock.release()
            (self._folder / self.name).unlink(missing_ok=True)


def dead(database: Path | None, *, apart_from: str = "") -> list[str]:
    """The owners whose process died without leaving; to try the lock of one's own takes long."""
    if database is None:
        return []
    folder = _folder(database)
    return [name for name in _names(folder) if name != apart_from and _is_free(folder / name)]


def live(database: Path) -> bool:
    """Whether a process, this one or another, holds such a lock beside the file."""
    folder = _folder(database)
    return any(not _is_free(folder / name) for name in _names(folder))


def bury(database: Path, owners: list[str]) -> None:
    """Remove the files of dead owners whose leases have been given back."""
    for owner in owners:
        (_folder(database) / owner).unlink(missing_ok=True)


def _folder(database: Path) -> Path:
    return database.with_name(f"{database.name}-processes")


def _names(folder: Path) -> list[str]:
    try:
        return [name for name in os.listdir(folder) if not name.startswith(_UNLOCKED)]
    except FileNotFoundError:
        return []


def _is_free(file: Path) -> bool:
    lock = FileLock(str(file))
    if not try_lock(lock):
        return False
    lock.release()
    return True


def try_lock(lock: BaseFileLock) -> bool:
    """Take the lock if nobody holds it."""
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return False
    return True
