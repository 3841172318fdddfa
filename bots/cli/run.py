"""`moorings run`: the bot on every platform whose tokens are set."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Annotated

import typer

from bots.cli.start import with_settings
from bots.role import Role
from core.config.settings import Settings
from core.lazy import lazy

Only = Annotated[
    Role | None,
    typer.Option(help="Hear one platform and leave the answers to others, or only answer."),
]


def run(only: Only = None) -> None:
    """Serve every platform whose tokens are set."""
    serve: Callable[[Settings, Role | None], Awaitable[int]] = lazy("bots.serve", "serve")
    with_settings(lambda settings: serve(settings, only), level=logging.INFO)
