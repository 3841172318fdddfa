"""The permissions and intents that the bot needs, and the link that invites it."""

from __future__ import annotations

from collections.abc import Iterable

import discord

from bots.discord.rest import PORTAL

# discord.py's names, and Discord's.
PERMISSIONS = {
    "view_channel": "View Channels",
    "send_messages": "Send Messages",
    "send_messages_in_threads": "Send Messages in Threads",
    "create_public_threads": "Create Public Threads",
    "read_message_history": "Read Message History",
    "attach_files": "Attach Files",
}
# Switched on by hand in the developer portal.
PRIVILEGED = {"message_content": "Message Content Intent"}
SCOPES = ("bot", "applications.commands")


def invitation(application: int) -> str:
    """The link with which somebody adds the bot to a server."""
    asked = discord.Permissions(**dict.fromkeys(PERMISSIONS, True))
    return discord.utils.oauth_url(application, permissions=asked, scopes=SCOPES)


def bot_page(application: int) -> str:
    """The page of the developer portal with the token and the intents."""
    return f"{PORTAL}/{application}/bot"


def manifest(application: int) -> str:
    """What `moorings manifest discord` prints: the invitation in line 1, then what to do."""
    return "\n".join(
        [
            invitation(application),
            "",
            "Open it in a browser, choose your server, Authorize. It asks for",
            f"  scopes       {', '.join(SCOPES)}",
            f"  permissions  {_listed(PERMISSIONS.values())}",
            "",
            "Switch on under Privileged Gateway Intents, then Save Changes:",
            f"  intents      {_listed(PRIVILEGED.values())}",
            f"  at           {bot_page(application)}",
            "",
            "Without that intent the bot works too, but hears only mentions, direct messages and",
            "commands. Presence Intent and Server Members Intent are not needed.",
        ]
    )


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)
