"""Small programs that use agents, each run as a process of its own."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a program ended."""

    code: int
    out: str
    err: str


async def run(program: str, *, folder: Path, environment: Mapping[str, str]) -> Ended:
    """Run the program in the folder to its end; it is killed after twenty seconds."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        program,
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), "PATH": "", "LOGNAME": "ana", **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(20):
            out, err = await process.communicate()
    except TimeoutError:
        process.kill()
        raise
    return Ended(code=process.returncode or 0, out=out.decode(), err=err.decode())
