"""The texts and the markup of responses on Discord."""

from __future__ import annotations

import re
from collections.abc import Mapping

from discord.utils import escape_markdown, escape_mentions

from bots.wording import Markup, Wording
from core.text import cleaned, clipped, in_written_order

NOT_STORED = "I could not store that just now. Please try again in a minute."
CANNOT_ANSWER = (
    "I may not write here, so I could not answer. Let me see this channel and send messages in it "
    "(Edit Channel, Permissions), or write to me directly."
)
NOT_HERE = (
    "I answer only where I was added to the server. Ask whoever manages this server to add me, or "
    "write to me directly."
)
NOT_ACTIVE = "This button is no longer active. Please ask again."
NOT_BEING_WRITTEN = "This answer is not being written any more."
FAILED = "Something went wrong here, and I did not do that. Please try again."
THANKS = "Thank you, noted."
AGAIN = "Asking again …"
_LINK = re.compile(r"https?://[^\s<>]+", re.IGNORECASE)  # <https://…> is shown without a preview
_LONGEST_QUOTE = 1_200  # characters


def escaped(text: str) -> str:
    """Escape plain text: it cannot ping, be read as markup, or show a link's preview."""
    return _LINK.sub(r"<\g<0>>", escape_mentions(escape_markdown(in_written_order(text))))


def asked(question: str, asking: str) -> str:
    """The public response to `/agent ask`: the text `asking`, and the question as a quotation."""
    quoted = re.sub("^", "> ", escaped(clipped(cleaned(question), _LONGEST_QUOTE)), flags=re.M)
    return f"{asking}\n{quoted}"


def _command(verb: str, options: Mapping[str, str]) -> str:
    given = (f" {name}:{value}" for name, value in options.items())
    return f"/agent {verb}{''.join(given)}".replace("`", "")


MARKUP = Markup(
    platform="Discord",
    managers="people with the permission Manage Channels",
    escaped=escaped,
    bold="**",
    command=_command,
    longest=1_800,
)
WORDING = Wording(MARKUP)
