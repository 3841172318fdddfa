"""`moorings manifest`: what makes the app on Slack, or invites the bot to a server on Discord."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, assert_never

import typer

from bots.cli.start import with_settings
from core.config.agents_file import AgentsFile, read
from core.config.settings import Settings
from core.errors import ConfigMistake
from core.lazy import lazy

if TYPE_CHECKING:
    from bots.slack.manifest import Served

_PLACEHOLDER = "https://your-host.example"


class Platform(StrEnum):
    """Whose manifest."""

    SLACK = "slack"
    DISCORD = "discord"


def manifest(
    platform: Annotated[Platform, typer.Argument(help="Which platform.")],
    url: Annotated[
        str | None,
        typer.Option("--url", metavar="URL", help="Your public address, where Slack calls you."),
    ] = None,
) -> None:
    """Print the Slack app's manifest, ready to paste, or the address that invites to Discord."""

    async def printed(settings: Settings) -> int:
        match platform:
            case Platform.SLACK:
                print(_slack(settings, url))
            case Platform.DISCORD:
                print(_discord(settings))
            case _:
                assert_never(platform)
        return 0

    with_settings(printed, level=logging.WARNING)


def _slack(settings: Settings, url: str | None) -> str:
    served: type[Served] = lazy("bots.slack.manifest", "Served")
    made: Callable[[AgentsFile, Served], object] = lazy("bots.slack.manifest", "manifest")
    file = read(settings.config)
    return json.dumps(made(file, served(url=_address(settings, url))), indent=2)


def _address(settings: Settings, url: str | None) -> str | None:
    """By HTTP where an address or only the signing secret is given, else by Socket Mode."""
    is_http = settings.slack_signing_secret is not None and settings.slack_app_token is None
    return url or (_PLACEHOLDER if is_http else None)


def _discord(settings: Settings) -> str:
    if settings.discord_token is None:
        raise ConfigMistake(
            "DISCORD_TOKEN is not set, and the invitation is to its application: make one at "
            "https://discord.com/developers/applications, copy the token from Bot > Reset Token, "
            "and write DISCORD_TOKEN=… into .env. docs/discord.md shows each click."
        )
    application_of: Callable[[str], int] = lazy("bots.discord.rest", "application_of")
    made: Callable[[int], str] = lazy("bots.discord.manifest", "manifest")
    return made(application_of(settings.discord_token.get_secret_value()))
