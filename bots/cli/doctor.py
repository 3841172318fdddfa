"""`moorings doctor`: what works, what does not, and what to do about it."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable

from bots import logs
from bots.cli.start import exit_with
from bots.finding import Finding, Verdict
from bots.terminal.harmless import harmless
from core.late import late
from core.redaction import HELD


def doctor() -> None:
    """Check configuration, database, models, Slack and Discord; exit 1 if anything fails."""
    logs.configure(logging.CRITICAL)  # each failure is a line of its own
    exit_with(_said)


async def _said() -> int:
    examine: Callable[[], AsyncIterator[Finding]] = late("bots.doctor", "examine")
    has_failed = False
    async for finding in examine():
        print(HELD.hidden(harmless(str(finding))), flush=True)
        has_failed |= finding.verdict is Verdict.FAILED
    return int(has_failed)
