"""Small programs that use agents, each run as a process of its own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tests.forked import Ended, Life, cold, piped


async def run(source: str, *, folder: Path, environment: Mapping[str, str]) -> Ended:
    """Run the program in the folder to its end."""
    return await (await piped(_life(source, folder, environment))).ended()


async def run_cold(source: str, *, folder: Path, environment: Mapping[str, str]) -> Ended:
    """As `run`, where it matters what is imported, or how an interpreter ends."""
    return await cold(_life(source, folder, environment))


def _life(source: str, folder: Path, environment: Mapping[str, str]) -> Life:
    known = {"PATH": "", "LOGNAME": "ana", **environment}
    return Life(arguments=(), folder=folder, environment=known, source=source)
