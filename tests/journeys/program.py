"""The program itself as a process: `moorings run`, forked from one that has imported everything."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from bots.__main__ import main
from tests.journeys import bot

ERRORS = Path("errors.txt")


def moorings(folder: Path, environment: dict[str, str], *arguments: str) -> None:
    """The whole life of the process, in `folder`, as if typed in a shell."""
    os.chdir(folder)
    os.environ.update(environment)  # noqa: TID251  # of this process alone
    errors = os.open(ERRORS, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(errors, 2)
    sys.argv = ["moorings", *arguments]
    main()


def at_once(folder: Path, environment: dict[str, str], *arguments: str) -> None:
    """As `moorings`, which tries at once and alone what may have ended other processes."""
    bot.try_alone_after(0)
    moorings(folder, environment, *arguments)


def doomed(folder: Path, environment: dict[str, str], place: str, time: int) -> None:
    """`moorings run`, which kills itself when it comes to the place for the nth time."""
    bot.die_at(place, time)
    moorings(folder, environment, "run")


def earlier(folder: Path, environment: dict[str, str], home: Path) -> None:
    """Become the version at `home`: what was imported of the present one goes with the program."""
    os.chdir(folder)
    errors = os.open(ERRORS, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(errors, 2)
    everything = {**os.environ, **environment, "PYTHONPATH": str(home)}  # noqa: TID251  # of this process alone
    os.execve(sys.executable, [sys.executable, "-P", "-m", "bots", "run"], everything)  # noqa: S606  # a shell is not needed
