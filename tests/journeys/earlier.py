"""An earlier version of Moorings, from the repository's own history, beside the present one."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Mapping
from itertools import cycle
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from tests.journeys import processes, program
from tests.journeys.fleet import Start

ROOT = Path(__file__).parents[2]
_PARTS = ("bots", "core", "storage", "tests", "pyproject.toml")


def checkout(folder: Path, *, differs_in: str) -> Path:
    """The newest commit in which files that match this were not yet as they are, unpacked.

    Without the repository's history the test is skipped.
    """
    last = _git("log", "-1", "--format=%H", "--", differs_in)
    earlier = last and _git("rev-parse", "--verify", "--quiet", f"{last}^")
    if not earlier:
        pytest.skip("needs the repository's history: git fetch --unshallow")
    archive = folder / "earlier.zip"
    _git("archive", f"--output={archive}", earlier, *_PARTS)
    shutil.unpack_archive(archive, folder / "earlier")
    return folder / "earlier"


def both(home: Path) -> Start:
    """Starts the present version and the one at `home` by turns."""
    versions: Iterator[Path | None] = cycle([None, home])

    def start(folder: Path, environment: Mapping[str, str]) -> BaseProcess:
        if version := next(versions):
            return processes.start(program.earlier, folder, environment, version)
        return processes.start(program.moorings, folder, environment, "run")

    return start


def _git(*arguments: str) -> str:
    """What git prints; empty where there is no repository or git does not know."""
    try:
        done = subprocess.run(  # noqa: S603  # what is written above
            ["git", *arguments],  # noqa: S607  # as every other developer's tool
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
