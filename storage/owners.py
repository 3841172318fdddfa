"""Which processes on this machine still live, so that a dead one's work is taken over at once."""

from __future__ import annotations

import os
import secrets
import socket
from pathlib import Path

from filelock import BaseFileLock, FileLock, Timeout


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
            self._lock = FileLock(str(self._folder / self.name))
            self._lock.acquire()

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
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return []
    return [name for name in names if name != apart_from and _is_free(folder / name)]


def live(database: Path) -> bool:
    """Whether a process, this one or another, holds such a lock beside the file."""
    folder = _folder(database)
    return folder.is_dir() and any(not _is_free(folder / name) for name in os.listdir(folder))


def bury(database: Path, owners: list[str]) -> None:
    """Remove the files of dead owners whose leases have been given back."""
    for owner in owners:
        (_folder(database) / owner).unlink(missing_ok=True)


def _folder(database: Path) -> Path:
    return database.with_name(f"{database.name}-processes")


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
