"""The real program in a process of its own, forked from one that has imported everything.

Each is killed, signalled and read like any process; what is saved is the second of imports.
"""

from __future__ import annotations

import asyncio
import fcntl
import multiprocessing
import os
import sys
import termios
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from multiprocessing.reduction import DupFd
from pathlib import Path
from typing import Protocol

from bots.__main__ import main

FORKED = multiprocessing.get_context("forkserver")
FORKED.set_forkserver_preload(
    [
        "tests.forked",
        "tests.journeys.bot",
        "tests.journeys.program",
        "bots.doctor",
        "bots.discord.checkup",
        "bots.discord.platform",
        "bots.serve",
        "bots.slack.platform",
        "bots.terminal.prompt",
        "bots.terminal.screen",
        "core.llm.endpoint",
        "genai_prices",
    ]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """How a process lives: `moorings` with these arguments, in this folder, knowing only this."""

    arguments: tuple[str, ...]
    folder: Path
    environment: Mapping[str, str]
    has_terminal: bool = False


class Descriptor:
    """A file descriptor that a new process inherits."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __reduce__(self) -> tuple[object, ...]:
        return _inherited, (DupFd(self.number),)


class Forked:
    """A process, as asyncio's own look."""

    def __init__(self, life: Life, stdin: int, stdout: int, stderr: int) -> None:
        ends = tuple(Descriptor(number) for number in (stdin, stdout, stderr))
        self._process: BaseProcess = FORKED.Process(target=_live, args=(life, *ends), daemon=True)
        self._process.start()

    @property
    def pid(self) -> int:
        """The process id."""
        assert self._process.pid
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """The exit status; negative is the signal that killed it; None while it lives."""
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        """As the kill command does; nothing if it has ended."""
        if self.returncode is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it as a power cut would."""
        self._process.kill()

    async def wait(self) -> int:
        """The exit status, once it has ended."""
        over = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_reader(self._process.sentinel, over.set)
        try:
            await over.wait()
        finally:
            loop.remove_reader(self._process.sentinel)
        self._process.join()
        assert self.returncode is not None
        return self.returncode


class _Detachable(Protocol):
    def detach(self) -> int: ...


def _inherited(descriptor: _Detachable) -> Descriptor:
    return Descriptor(descriptor.detach())


def _live(life: Life, *ends: Descriptor) -> None:
    os.setsid()
    os.chdir(life.folder)
    os.environ.clear()  # noqa: TID251  # of this process alone
    os.environ.update(life.environment)  # noqa: TID251  # as above
    for number, end in enumerate(ends):
        os.dup2(end.number, number)
        os.close(end.number)
    if life.has_terminal:
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    sys.stdin = os.fdopen(0, encoding="utf-8", closefd=False)
    sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = os.fdopen(2, "w", encoding="utf-8", closefd=False, buffering=1)
    sys.argv = ["moorings", *life.arguments]
    main()
