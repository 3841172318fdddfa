"""The Markdown of a model as Slack shows it: harmless, and with a plain text beside it."""

from __future__ import annotations

import re

# What stands for <! in one of Slack's readings of Markdown: entities and backslashes go.
_OPEN = r"(?:<|&lt;|&#0*60;|&#x0*3c;)\\*!\\*"
_PING = re.compile(rf"{_OPEN}(channel|here|everyone)\b(?:\|[^<>\n]*)?(?:>|&gt;)?", re.IGNORECASE)
_GROUP = re.compile(rf"{_OPEN}subteam\b(?:\\?\^\w*)?(?:\|@?([^<>\n]*))?(?:>|&gt;)?", re.IGNORECASE)
_WORD = re.compile(r"@(?=\\*(?:channel|here|everyone)\b)", re.IGNORECASE)
_HARMLESS_AT = "\N{FULLWIDTH COMMERCIAL AT}"  # looks like @, pings nobody, and is as long

_FALLBACK = 3_000  # characters of the plain text beside the blocks
_NAMELESS = "(empty)"


def harmless(text: str) -> str:
    """The text without anything that pings a channel or a group; never longer than it was.

    `<@U…>` stays: it names one person.
    """
    text = _PING.sub(lambda found: f"{_HARMLESS_AT}{found[1]}", text)
    text = _GROUP.sub(lambda found: f"{_HARMLESS_AT}{found[1] or 'group'}", text)
    return _WORD.sub(_HARMLESS_AT, text)


def shown(text: str) -> str:
    """What a message's block says; Slack takes no empty one."""
    return harmless(text).strip() or _NAMELESS


def fallback(text: str) -> str:
    """The plain text for notifications and screen readers: nothing in it is a command."""
    plain = harmless(text).strip() or _NAMELESS
    escaped = plain.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    if len(escaped) <= _FALLBACK:
        return escaped
    return re.sub(r"&\w{0,4}\Z", "", escaped[: _FALLBACK - 1]) + "…"
