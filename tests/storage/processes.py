"""Other processes that use the same database."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path

ROOT = Path(__file__).parents[2]


async def start(*arguments: str, home: Path = ROOT) -> Process:
    """A Python with these arguments, that imports storage from `home`."""
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *arguments,
        cwd=home,
        env={"PYTHONPATH": f"{home}:{ROOT}", "PYTHONDONTWRITEBYTECODE": "1"},
        stdin=PIPE,
        stdout=PIPE,
        stderr=PIPE,
    )


async def ended(process: Process, *, seconds: float = 20) -> tuple[int, str, str]:
    """Its status, output and errors; it must end within these seconds."""
    try:
        async with asyncio.timeout(seconds):
            out, err = await process.communicate(b"")
    finally:
        if process.returncode is None:
            process.kill()
    return await process.wait(), out.decode(), err.decode()


async def successful(*arguments: str, home: Path = ROOT) -> str:
    """What it prints; it must succeed."""
    status, out, err = await ended(await start(*arguments, home=home))
    assert status == 0, err
    return out
