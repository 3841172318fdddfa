"""`moorings run`: the bot on every platform whose tokens are set."""

from __future__ import annotations

import logging

from bots.cli.start import with_settings
from core.errors import ConfigMistake
from core.settings import Settings


def run() -> None:
    """Serve every platform whose tokens are set."""
    with_settings(_run, level=logging.INFO)


async def _run(settings: Settings) -> int:
    tokens = {
        "SLACK_BOT_TOKEN": settings.slack_bot_token,
        "SLACK_APP_TOKEN or SLACK_SIGNING_SECRET": settings.slack_app_token
        or settings.slack_signing_secret,
        "DISCORD_TOKEN": settings.discord_token,
    }
    missing = [name for name, token in tokens.items() if token is None]
    raise ConfigMistake(
        f"There is no platform to serve: {_not_set(missing)}"
        "this version speaks neither Slack nor Discord yet. "
        "`moorings chat` talks to your agents in the terminal."
    )


def _not_set(missing: list[str]) -> str:
    return f"not set: {'; '.join(missing)}; and " if missing else ""
