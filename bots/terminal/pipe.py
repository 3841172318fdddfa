"""Standard input and output with no terminal behind them: lines in, whole texts out."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator

from bots.terminal.harmless import harmless

STDIN, STDOUT, STDERR = 0, 1, 2
_CHUNK = 65_536


async def lines(descriptor: int) -> AsyncGenerator[str, None]:
    """The lines of a stream; nothing is read before the one before has been dealt with."""
    rest = bytearray()
    searched = 0
    while True:
        end = rest.find(b"\n", searched)
        if end >= 0:
            line = bytes(rest[:end])
            del rest[: end + 1]
            searched = 0
            yield line.decode(errors="replace")
            continue
        searched = len(rest)
        await _readable(descriptor)
        if not (chunk := os.read(descriptor, _CHUNK)):
            break
        rest += chunk
    if rest:
        yield rest.decode(errors="replace")


def write(descriptor: int, text: str) -> None:
    """Write the text and a newline, at once.

    Raises:
        BrokenPipeError: nobody reads there any more; on stderr nobody has to.
    """
    line = f"{harmless(text)}\n".encode(errors="replace")
    try:
        while line:
            line = line[os.write(descriptor, line) :]
    except OSError:
        if descriptor != STDERR:
            raise


async def _readable(descriptor: int) -> None:
    """Wait without a thread, so that Ctrl-C ends the wait."""
    loop = asyncio.get_running_loop()
    has_input = asyncio.Event()
    try:
        loop.add_reader(descriptor, has_input.set)
    except PermissionError:  # a file: there is nothing to wait for
        return
    try:
        await has_input.wait()
    finally:
        loop.remove_reader(descriptor)
