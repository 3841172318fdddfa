"""Keeps a CancelledError or SystemExit of a tool or adapter from ending whoever called it."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from contextlib import contextmanager


class Escaped(Exception):
    """A CancelledError that nobody asked for, or a SystemExit."""


@contextmanager
def contained() -> Generator[None]:
    """Let a cancellation pass only where this task was really asked to stop.

    A library may raise one of its own, and whatever parses arguments with argparse ends in a
    SystemExit: both are failures of whoever raised them.

    Raises:
        Escaped: one of these.
    """
    try:
        yield
    except (asyncio.CancelledError, SystemExit) as error:
        task = asyncio.current_task()
        if isinstance(error, asyncio.CancelledError) and task and task.cancelling():
            raise
        raise Escaped(type(error).__name__) from error
