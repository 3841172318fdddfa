"""The real program in a process of its own: with pipes, or at a terminal of its own."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import termios
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from bots.terminal.harmless import harmless
from tests.forked import ROOT, Ended, Forked, Life, Running, piped
from tests.patience import PATIENCE


class Program:
    """How to start `moorings` in a folder: nothing of the tester's own environment gets in."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._started: list[Running] = []
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

    async def start(self, *arguments: str | bytes, stdout: int | None = None) -> Running:
        """Start it with pipes; `stdout` is where it writes, if not to us."""
        running = await piped(self.life(arguments), stdout=stdout)
        self._started.append(running)
        return running

    def life(self, arguments: Sequence[str | bytes], *, has_terminal: bool = False) -> Life:
        """How it is started with these arguments."""
        return Life(
            arguments=tuple(os.fsdecode(argument) for argument in arguments),
            folder=self.folder,
            environment=self._environment,
            has_terminal=has_terminal,
        )

    async def end(self) -> None:
        """Kill what a test left running."""
        for process in self._started:
            process.kill()
            await process.wait()

    async def run(self, *arguments: str | bytes, typed: str | bytes = b"") -> Ended:
        """Run it to its end."""
        process = await self.start(*arguments)
        return await process.ended(typed.encode() if isinstance(typed, str) else typed)

    @asynccontextmanager
    async def at_a_terminal(
        self, *arguments: str, rows: int = 24, columns: int = 80
    ) -> AsyncIterator[Terminal]:
        """Run it at a terminal; what still runs at the end is killed."""
        ours, its = os.openpty()
        termios.tcsetwinsize(its, (rows, columns))
        process = Forked(self.life(arguments, has_terminal=True), its, its, its)
        os.close(its)
        terminal = Terminal(process, ours)
        try:
            yield terminal
        finally:
            terminal.close()
            process.kill()
            await process.wait()


class Terminal:
    """A terminal with the program in it, and what it has shown."""

    def __init__(self, process: Forked, descriptor: int) -> None:
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

    async def shows(self, words: str) -> str:
        """Wait until these words have been shown; returns and forgets everything up to them."""
        try:
            async with asyncio.timeout(PATIENCE):
                while words not in self.text:
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise AssertionError(f"{words!r} never came; there was: {self.text}") from None
        before, _, self.raw = self.text.partition(words)
        return before

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


def with_key(endpoint_url: str) -> Mapping[str, str]:
    """The variables that let a program talk to a model endpoint."""
    return {"OPENAI_API_KEY": "sk-of-a-test", "OPENAI_BASE_URL": endpoint_url}


def break_the_database(folder: Path) -> None:
    """Take away what the next turn needs, behind the program's back."""
    connection = sqlite3.connect(folder / "moorings.db")
    connection.execute("ALTER TABLE turn RENAME TO gone")
    connection.commit()
    connection.close()
