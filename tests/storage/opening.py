"""Processes that open a database, forked from one that has imported everything."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from multiprocessing.process import BaseProcess
from typing import Protocol

from storage.database import open_database
from tests.forked import FORKED
from tests.storage import sql


class Pipe(Protocol):
    """One end of a pipe between processes."""

    def send(self, what: object) -> None:
        """Say something to the other end."""

    def recv(self) -> object:
        """What the other end said."""


class Opening:
    """A process that opens a database when it is told to."""

    def __init__(self, url: str) -> None:
        self._ours, theirs = FORKED.Pipe()
        self._process: BaseProcess = FORKED.Process(target=_live, args=(url, theirs), daemon=True)
        self._process.start()
        theirs.close()
        assert self._ours.recv() == "ready"

    def begin(self, *, killed_before: int | None = None) -> None:
        """Let it open the database; killed before its n-th statement, it does no more."""
        self._ours.send(killed_before)

    def began(self) -> None:
        """Returns when it sends its first statement."""
        assert self._ours.recv() == "began"

    def opened(self) -> list[str]:
        """Let it open the database; as `applied`."""
        self.begin()
        return self.applied()

    def applied(self) -> list[str]:
        """The migrations that it has applied; it must succeed."""
        self.began()
        found = self._ours.recv()
        assert isinstance(found, list)
        self._process.join()
        return found

    def was_killed(self) -> bool:
        """Whether it was, once it has ended."""
        self._process.join()
        self._ours.close()
        return self._process.exitcode == -signal.SIGKILL

    def kill(self) -> None:
        """End it as a power cut would."""
        self._process.kill()
        self._process.join()
        self._ours.close()


class _Tell(logging.Handler):
    """Tells the first statement, and the migrations that were applied."""

    def __init__(self, pipe: Pipe, killed_before: object) -> None:
        super().__init__()
        self._pipe = pipe
        self._killed_before = killed_before
        self._statements = 0
        self.applied: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.applied += getattr(record, "migrations", [])
        if record.name != "tortoise.db_client":
            return
        self._statements += 1
        if self._statements == 1:
            self._pipe.send("began")
        if self._statements == self._killed_before:
            os.kill(os.getpid(), signal.SIGKILL)


def _live(url: str, pipe: Pipe) -> None:
    pipe.send("ready")
    tell = _Tell(pipe, pipe.recv())
    for name, level in (("tortoise.db_client", logging.DEBUG), ("storage", logging.INFO)):
        logging.getLogger(name).setLevel(level)
        logging.getLogger(name).addHandler(tell)
    asyncio.run(_open(url))
    pipe.send(tell.applied)


async def _open(url: str) -> None:
    database = await open_database(url)
    real, declared = await sql.real(database), sql.declared()
    assert real == declared, set(real.items()) ^ set(declared.items())
    await database.close()
