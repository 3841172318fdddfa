"""Runs one command: opens and closes what it needs, and turns mistakes into an exit code."""

from __future__ import annotations

import asyncio
import getpass
import logging
import os
import sys
from collections.abc import Awaitable, Callable, Coroutine
from io import TextIOWrapper
from typing import Annotated, NoReturn

import typer

from bots import logs
from core.config.settings import Settings, from_environment
from core.errors import MooringsError
from core.redaction import HELD
from core.runtime import Runtime
from storage.errors import StorageError

FAILURES = (MooringsError, StorageError)
_FAILED, _USAGE, _INTERRUPTED, _NO_READER = 1, 2, 130, 141

Person = Annotated[
    str | None, typer.Option("--as", metavar="NAME", help="Who you are; else your user's name.")
]
Room = Annotated[str, typer.Option("--room", metavar="NAME", help="Where the talk happens.")]
Json = Annotated[bool, typer.Option("--json", help="For machines.")]


def with_settings(work: Callable[[Settings], Awaitable[int]], *, level: int) -> NoReturn:
    """Run the work and exit with the code it returns, or with that of its failure."""
    exit_with(lambda: _configured(work, level))


def exit_with(work: Callable[[], Coroutine[None, None, int]]) -> NoReturn:
    """As above, for work that reads its settings by itself."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")
    raise typer.Exit(_code_of(work))


def with_runtime(
    work: Callable[[Runtime], Awaitable[int]],
    *,
    level: int = logging.WARNING,
    may_demo: bool = False,
) -> NoReturn:
    """Run the work with an open runtime, and exit as above."""

    async def opened(settings: Settings) -> int:
        runtime = await Runtime.open(settings, may_demo=may_demo)
        try:
            return await work(runtime)
        finally:
            await runtime.close()

    with_settings(opened, level=level)


def refuse(sentence: str) -> NoReturn:
    """Exit because the command line was wrong."""
    _complain(sentence)
    raise typer.Exit(_USAGE)


def user() -> str:
    """Who runs this process."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user id without a name, as in some containers
        return "you"


def _code_of(work: Callable[[], Coroutine[None, None, int]]) -> int:
    try:
        return asyncio.run(work())
    except FAILURES as error:
        _complain(str(error))
        return _FAILED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is still buffered
        return _NO_READER
    except OSError as error:
        _complain(f"{error.filename or 'The system'}: {error.strerror}.")
        return _FAILED
    except KeyboardInterrupt:
        return _INTERRUPTED


async def _configured(work: Callable[[Settings], Awaitable[int]], level: int) -> int:
    settings = from_environment()
    if settings.log_level:
        level = logging.getLevelNamesMapping()[settings.log_level]
    logs.configure(level, settings.log)
    return await work(settings)


def _complain(sentence: str) -> None:
    print(f"moorings: {HELD.hidden(sentence)}", file=sys.stderr)
