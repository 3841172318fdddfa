"""`moorings run`: the bot on every platform whose tokens are set."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from bots.cli.start import with_settings
from core.llm.late import late
from core.settings import Settings


def run() -> None:
    """Serve every platform whose tokens are set."""
    serve: Callable[[Settings], Awaitable[int]] = late("bots.serve", "serve")
    with_settings(serve, level=logging.INFO)
