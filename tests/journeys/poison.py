"""Tools that end the process that calls them, each in another way."""

from __future__ import annotations

import os
import signal

from tests.journeys.ledger import CALLS, append


def leave() -> str:
    """As a library that calls exit deep inside."""
    append(CALLS, "leave")
    os._exit(1)


def crash() -> str:
    """As an extension that reads where it may not."""
    append(CALLS, "crash")
    os.kill(os.getpid(), signal.SIGSEGV)
    return ""
