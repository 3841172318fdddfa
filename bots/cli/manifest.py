"""`moorings manifest slack`: the app's manifest for this configuration, as JSON."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from bots.cli.start import with_settings
from core.agents_file import AgentsFile, read
from core.llm.late import late
from core.settings import Settings

if TYPE_CHECKING:
    from bots.slack.manifest import Served

_PLACEHOLDER = "https://your-host.example"


class Platform(StrEnum):
    """Whose manifest."""

    SLACK = "slack"


def manifest(
    platform: Annotated[Platform, typer.Argument(help="Which platform.")],
    url: Annotated[
        str | None,
        typer.Option("--url", metavar="URL", help="Your public address, where Slack calls you."),
    ] = None,
) -> None:
    """Print the app's manifest, ready to paste."""

    async def printed(settings: Settings) -> int:
        served: type[Served] = late("bots.slack.manifest", "Served")
        made: Callable[[AgentsFile, Served], object] = late("bots.slack.manifest", "manifest")
        file = read(settings.config)
        print(json.dumps(made(file, served(url=_address(settings, url))), indent=2))
        return 0

    with_settings(printed, level=logging.WARNING)


def _address(settings: Settings, url: str | None) -> str | None:
    """By HTTP where an address or only the signing secret is given, else by Socket Mode."""
    is_http = settings.slack_signing_secret is not None and settings.slack_app_token is None
    return url or (_PLACEHOLDER if is_http else None)
