"""`moorings manifest slack`: the app's manifest for this configuration, as JSON."""

from __future__ import annotations

import json
import logging
from enum import StrEnum
from typing import Annotated

import typer

from bots.cli.start import with_settings
from bots.slack.manifest import Served
from bots.slack.manifest import manifest as slack_manifest
from core.agents_file import read
from core.settings import Settings

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
        file = read(settings.config)
        print(json.dumps(slack_manifest(file, _served(settings, url)), indent=2))
        return 0

    with_settings(printed, level=logging.WARNING)


def _served(settings: Settings, url: str | None) -> Served:
    """By HTTP where an address or only the signing secret is given, else by Socket Mode."""
    is_http = settings.slack_signing_secret is not None and settings.slack_app_token is None
    return Served(url=url or (_PLACEHOLDER if is_http else None))
