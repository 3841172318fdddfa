"""`moorings chat` at a terminal, as a person sees it; its second answer is never finished."""

from __future__ import annotations

import asyncio
import os
import re
import termios
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pyte

from tests.forked import Forked, Life

# The program, which stands still in the middle of its second answer until it is killed.
INTERRUPTED = """
import time
from bots.__main__ import main
from core import kill_points

reached = []

def arrive(place):
    reached.append(place)
    words = reached[::-1].index("turn opened") if reached.count("turn opened") == 2 else 0
    if words == len("Earlier today (15:58) you told me: our project deadline".split()):
        time.sleep(600)

kill_points.watch(arrive)
main()
"""


class Screen:
    """A terminal with the program in it, as a person sees it."""

    def __init__(self, descriptor: int, rows: int, columns: int) -> None:
        self._descriptor = descriptor
        self._screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self._screen)
        self._changed = asyncio.Event()
        asyncio.get_running_loop().add_reader(descriptor, self._read)

    @property
    def text(self) -> str:
        """What stands on it."""
        return "\n".join(line.rstrip() for line in self._screen.display).rstrip()

    @property
    def drawn(self) -> list[list[pyte.screens.Char]]:
        """The same with colours and styles, line by line, to the last one that is not empty."""
        count = len(self.text.splitlines())
        return [
            [self._screen.buffer[row][column] for column in range(self._screen.columns)]
            for row in range(count)
        ]

    def type(self, line: str) -> None:
        """Type this, and Enter."""
        os.write(self._descriptor, f"{line}\r".encode())

    async def shows(self, pattern: str) -> str:
        """Wait until its end is like this, and take all that stands on it."""
        try:
            async with asyncio.timeout(120):
                while not re.search(rf"{pattern}\Z", self.text):
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise AssertionError(f"{pattern!r} never came; there is: {self.text}") from None
        return self.text

    def _read(self) -> None:
        with suppress(OSError):  # nobody is at the other end any more
            self._stream.feed(os.read(self._descriptor, 65_536))
        self._changed.set()


@asynccontextmanager
async def at_a_terminal(
    folder: Path, *, rows: int = 40, columns: int = 160
) -> AsyncIterator[Screen]:
    """`moorings chat --as ana` in this folder, killed at the end."""
    ours, its = os.openpty()
    termios.tcsetwinsize(its, (rows, columns))
    life = Life(
        arguments=("chat", "--as", "ana"),
        folder=folder,
        environment={
            "HOME": str(folder),
            "PATH": "",
            "TERM": "xterm-256color",
            "PROMPT_TOOLKIT_NO_CPR": "1",  # a screen that is slow to say where it is is warned of
        },
        source=INTERRUPTED,
        has_terminal=True,
    )
    process = Forked(life, its, its, its)
    os.close(its)
    try:
        yield Screen(ours, rows, columns)
    finally:
        process.kill()
        await process.wait()
        asyncio.get_running_loop().remove_reader(ours)
        os.close(ours)
