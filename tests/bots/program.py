"""The real program in a process of its own: with pipes, or at a terminal of its own."""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
import sqlite3
import sys
import termios
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bots.terminal.harmless import harmless

ROOT = Path(__file__).parents[2]
PATIENCE = 20  # seconds until a test gives up


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """What a finished program left."""

    code: int
    out: str
    err: str


class Program:
    """How to start `moorings` in a folder: nothing of the tester's own environment gets in."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._started: list[Process] = []
        self._environment = {
            "PATH": os.defpath,
            "PYTHONPATH": str(ROOT),
            "HOME": str(folder),
            "USER": "ana",
            "TERM": "xterm-256color",
            "PROMPT_TOOLKIT_NO_CPR": "1",
        }

    def set(self, **variables: str) -> None:
        """Environment variables from now on."""
        self._environment.update(variables)

    async def start(
        self, *arguments: str | bytes, stdin: int = PIPE, stdout: int = PIPE
    ) -> Process:
        """Start it with pipes."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "bots",
            *arguments,
            stdin=stdin,
            stdout=stdout,
            stderr=PIPE,
            cwd=self.folder,
            env=self._environment,
            limit=2**22,
        )
        self._started.append(process)
        return process

    async def end(self) -> None:
        """Kill what a test left running."""
        for process in self._started:
            if process.returncode is None:
                process.kill()
                await process.communicate()

    async def run(self, *arguments: str | bytes, typed: str | bytes = b"") -> Ended:
        """Run it to its end."""
        process = await self.start(*arguments)
        typed = typed.encode() if isinstance(typed, str) else typed
        async with asyncio.timeout(PATIENCE):
            out, err = await process.communicate(typed)
        return Ended(
            code=process.returncode or 0,
            out=out.decode(),
            err=err.decode(),
        )

    @asynccontextmanager
    async def at_a_terminal(
        self, *arguments: str, rows: int = 24, columns: int = 80
    ) -> AsyncIterator[Terminal]:
        """Run it at a terminal; what still runs at the end is killed."""
        ours, its = os.openpty()
        termios.tcsetwinsize(its, (rows, columns))
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "bots",
            *arguments,
            stdin=its,
            stdout=its,
            stderr=its,
            cwd=self.folder,
            env=self._environment,
            start_new_session=True,
            preexec_fn=_own_the_terminal,
        )
        os.close(its)
        terminal = Terminal(process, ours)
        try:
            yield terminal
        finally:
            terminal.close()
            if process.returncode is None:
                process.kill()
            await process.wait()


class Terminal:
    """A terminal with the program in it, and what it has shown."""

    def __init__(self, process: Process, descriptor: int) -> None:
        self.raw = ""
        self._process = process
        self._descriptor = descriptor
        self._changed = asyncio.Event()
        asyncio.get_running_loop().add_reader(descriptor, self._read)

    @property
    def text(self) -> str:
        """Everything that was ever shown, without colours and movements."""
        return harmless(self.raw)

    def type(self, keys: str) -> None:
        """Press keys; Enter is a carriage return."""
        os.write(self._descriptor, keys.encode())

    async def shows(self, words: str) -> None:
        """Wait until these words have been shown, and forget everything up to them."""
        try:
            async with asyncio.timeout(PATIENCE):
                while words not in self.text:
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise AssertionError(f"{words!r} never came; there was: {self.text}") from None
        self.raw = self.text[self.text.index(words) + len(words) :]

    async def ended(self) -> int:
        """Wait for the end of the program."""
        async with asyncio.timeout(PATIENCE):
            return await self._process.wait()

    async def kill(self) -> None:
        """End the program as a power cut would."""
        self._process.send_signal(signal.SIGKILL)
        await self.ended()

    def close(self) -> None:
        """Take the terminal away."""
        asyncio.get_running_loop().remove_reader(self._descriptor)
        os.close(self._descriptor)

    def _read(self) -> None:
        try:
            data = os.read(self._descriptor, 65_536)
        except OSError:  # nobody is at the other end any more
            data = b""
        if not data:
            asyncio.get_running_loop().remove_reader(self._descriptor)
        self.raw += data.decode(errors="replace")
        self._changed.set()


def _own_the_terminal() -> None:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def with_key(endpoint_url: str) -> Mapping[str, str]:
    """The variables that let a program talk to a model endpoint."""
    return {"OPENAI_API_KEY": "sk-of-a-test", "OPENAI_BASE_URL": endpoint_url}


def break_the_database(folder: Path) -> None:
    """Take away what the next turn needs, behind the program's back."""
    connection = sqlite3.connect(folder / "moorings.db")
    connection.execute("ALTER TABLE turn RENAME TO gone")
    connection.commit()
    connection.close()
