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
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from multiprocessing.reduction import DupFd
from pathlib import Path
from typing import Protocol

from bots.__main__ import main
from bots.cli import COMMANDS
from storage.migration import known
from tests.patience import PATIENCE

ROOT = Path(__file__).parents[1]
FORKED = multiprocessing.get_context("forkserver")
FORKED.set_forkserver_preload(
    [
        "tests.postponed",
        "tests.forked",
        "tests.journeys.bot",
        "tests.journeys.program",
        *(f"bots.cli.{name}" for name in COMMANDS),
        "bots.doctor",
        "bots.discord.checkup",
        "bots.discord.platform",
        "bots.serve",
        "bots.http",
        "bots.slack.http",
        "bots.slack.install",
        "bots.slack.platform",
        "bots.slack.ways_in",
        "bots.terminal.prompt",
        "bots.terminal.screen",
        "core.llm.endpoint",
        # what each process would import only when it comes to it
        "aiohttp_socks",
        "anyio._backends._asyncio",
        "bots.terminal.listener",
        "core.llm.listing",
        "encodings.idna",
        "encodings.utf_8_sig",
        "genai_prices.data",
        "genai_prices.decompose",
        "httpcore2",
        "prompt_toolkit.input.vt100",
        "prompt_toolkit.output.vt100",
        "prompt_toolkit.patch_stdout",
        "rich._emoji_codes",
        *(f"storage.migrations.{name}" for name in known()),
        "tests.journeys.diary",
        "tests.journeys.ledger",
        "tests.journeys.poison",
        "tests.storage.opening",
        "tortoise.backends.asyncpg",
        "tortoise.backends.mysql",
        "tortoise.backends.sqlite",
        "truststore",
        "typer._adapters",
        "typer._click.decorators",
        "uvicorn.protocols.http.auto",
        # what each process runs again where the tests have one process: pytest's own command
        *(["pytest"] if hasattr(sys.modules["__main__"], "__file__") else []),
        "tests.hurried",
        "tests.frozen",
    ]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """How a process lives: with these arguments, in this folder, knowing only this environment.

    It runs `moorings`, or this source.
    """

    arguments: tuple[str, ...]
    folder: Path
    environment: Mapping[str, str]
    source: str | None = None
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


async def cold(life: Life) -> Ended:
    """Let it live, not forked, in an interpreter that has imported nothing and ends as any does."""
    assert life.source is not None
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", life.source, *life.arguments),
        cwd=life.folder,
        env={"PYTHONPATH": str(ROOT), "SSL_CERT_DIR": os.devnull, **life.environment},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(PATIENCE):
            out, err = await process.communicate(b"")
    finally:
        if process.returncode is None:
            process.kill()
    return Ended(code=await process.wait(), out=out.decode(), err=err.decode())


async def piped(life: Life, *, stdout: int | None = None) -> Running:
    """Start it with pipes; `stdout` is where it writes, if not to us."""
    theirs_in, ours_in = os.pipe()
    ours_out, theirs_out = os.pipe()
    ours_err, theirs_err = os.pipe()
    out = theirs_out if stdout is None else stdout
    process = Forked(life, theirs_in, out, theirs_err)
    for number in (theirs_in, theirs_out, theirs_err):
        os.close(number)
    return Running(
        process=process,
        stdin=await _writer(ours_in),
        stdout=await _reader(ours_out),
        stderr=await _reader(ours_err),
    )


async def module(name: str, *arguments: str) -> Running:
    """Start `python -m name`, as `piped`."""
    source = f"from runpy import run_module; run_module({name!r}, run_name='__main__')"
    return await piped(Life(arguments=arguments, folder=ROOT, environment={}, source=source))


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """What a finished process left."""

    code: int
    out: str
    err: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A process with its pipes."""

    process: Forked
    stdin: asyncio.StreamWriter
    stdout: asyncio.StreamReader
    stderr: asyncio.StreamReader

    @property
    def returncode(self) -> int | None:
        """As the process's own."""
        return self.process.returncode

    def send_signal(self, number: int) -> None:
        """As the kill command does."""
        self.process.send_signal(number)

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.kill()

    async def wait(self) -> int:
        """The exit status, once it has ended."""
        return await self.process.wait()

    async def ended(self, typed: bytes = b"") -> Ended:
        """Type all this, and let it end."""
        try:
            async with asyncio.timeout(PATIENCE):
                out, err = await self.communicate(typed)
        finally:
            self.kill()
        return Ended(code=await self.wait(), out=out.decode(), err=err.decode())

    async def communicate(self, typed: bytes = b"") -> tuple[bytes, bytes]:
        """Type all this, and return all that is written until the end."""
        async with asyncio.TaskGroup() as group:
            out = group.create_task(self.stdout.read())
            err = group.create_task(self.stderr.read())
            with suppress(BrokenPipeError, ConnectionResetError):
                self.stdin.write(typed)
                await self.stdin.drain()
            self.stdin.close()
            await self.process.wait()
        return out.result(), err.result()


async def _reader(number: int) -> asyncio.StreamReader:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=2**22)
    protocol = asyncio.StreamReaderProtocol(reader)
    await loop.connect_read_pipe(lambda: protocol, os.fdopen(number, "rb"))
    return reader


async def _writer(number: int) -> asyncio.StreamWriter:
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.connect_write_pipe(
        lambda: asyncio.StreamReaderProtocol(asyncio.StreamReader()), os.fdopen(number, "wb")
    )
    return asyncio.StreamWriter(transport, protocol, None, loop)


class _Detachable(Protocol):
    def detach(self) -> int: ...


def _inherited(descriptor: _Detachable) -> Descriptor:
    return Descriptor(descriptor.detach())


def _live(life: Life, *ends: Descriptor) -> None:
    os.setsid()
    os.chdir(life.folder)
    os.environ.clear()  # noqa: TID251  # of this process alone
    os.environ.update({"SSL_CERT_DIR": os.devnull, **life.environment})  # noqa: TID251  # as above
    for number, end in enumerate(ends):
        os.dup2(end.number, number)
        os.close(end.number)
    if life.has_terminal:
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    sys.stdin = os.fdopen(0, encoding="utf-8", closefd=False)
    sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = os.fdopen(2, "w", encoding="utf-8", closefd=False, buffering=1)
    if life.source is None:
        sys.argv = ["moorings", *life.arguments]
        main()
    else:
        sys.argv = ["-c", *life.arguments]
        exec(compile(life.source, "<source>", "exec"), {"__name__": "__main__"})  # noqa: S102  # a test's own
