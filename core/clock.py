"""The only source of the present time."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]


def now() -> datetime:
    """The present moment, in UTC."""
    return datetime.now(UTC)


def monotonic() -> float:
    """Seconds that never run backwards; goes on while the process or the machine is suspended.

    On Linux `time.monotonic()` stands still while a laptop or a virtual machine sleeps. A lease
    does not: whoever holds one would go on talking after somebody else took it over.
    """
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()
