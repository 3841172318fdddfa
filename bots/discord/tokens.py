"""The bot token: which application it is of, and one clear sentence where it is no good."""

from __future__ import annotations

import base64
import binascii

from bots.discord.failures import DiscordRefused
from bots.discord.parse import MALFORMED
from bots.discord.rest import Rest
from core.errors import ConfigMistake

PORTAL = "https://discord.com/developers/applications"
_PARTS = 3  # the application, when it was made, a signature
_WHERE = f"copy it from your application at {PORTAL} under Bot > Token > Reset Token"


def application_of(token: str) -> int:
    """The id that invitations need; for this Discord need not be asked.

    Raises:
        ConfigMistake: this is no bot token.
    """
    first, *others = token.split(".")
    try:
        name = base64.b64decode(first + "=" * (-len(first) % 4), altchars=b"-_", validate=True)
        application = int(name) if name.isdigit() else 0
    except (binascii.Error, ValueError):
        application = 0
    if not application or len(others) != _PARTS - 1:
        raise ConfigMistake(
            "DISCORD_TOKEN is not a bot token, which has three parts with a dot between them: "
            f"{_WHERE}. It is neither the Client Secret nor the Public Key."
        )
    return application


async def log_in(token: str, api_url: str | None, *, seconds: float = 60.0) -> Rest:
    """As `Rest.open`; what is wrong is said more precisely.

    Raises:
        ConfigMistake: token or address have to change; says how.
        Transient: Discord cannot be asked now.
    """
    if not token.isascii() or not token.isprintable() or " " in token:
        raise ConfigMistake(
            f"DISCORD_TOKEN has characters that no token has, such as a space: {_WHERE}, "
            "and leave out the word Bot and quotation marks."
        )
    try:
        return await Rest.open(token, api_url, seconds=seconds)
    except ConfigMistake:
        application_of(token)
        raise
    except (DiscordRefused, *MALFORMED) as error:
        address = f"DISCORD_API_URL ({api_url})" if api_url else "Discord's own address"
        raise ConfigMistake(
            f"{address} does not answer as Discord's API does: leave DISCORD_API_URL out, or give "
            "the base with its version, such as https://discord.com/api/v10."
        ) from error
