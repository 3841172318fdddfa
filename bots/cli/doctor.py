"""`moorings doctor`: what works, what does not, and what to do about it."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable

from bots import logs
from bots.check_result import CheckResult, Verdict
from bots.cli.start import exit_with
from bots.terminal.harmless import harmless
from core.lazy import lazy
from core.redaction import HELD


def doctor() -> None:
    """Check configuration, database, models, Slack and Discord; exit 1 if anything fails."""
    logs.configure(logging.CRITICAL)  # each failure is a line of its own
    exit_with(_said)


async def _said() -> int:
    examine: Callable[[], AsyncIterator[CheckResult]] = lazy("bots.doctor", "examine")
    has_failed = False
    async for result in examine():
        print(HELD.hidden(harmless(str(result))), flush=True)
        has_failed |= result.verdict is Verdict.FAILED
    return int(has_failed)
