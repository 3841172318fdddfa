"""The Markdown of a model as Slack shows it: harmless, and with a plain text beside it."""

from __future__ import annotations

import html
import re
from collections.abc import Callable

from bots.links import names_another, plain_links
from core.text import in_written_order

# What one of Slack's readings of Markdown takes for one character: entities (also of entities,
# also without their semicolon, as browsers do), and all but backslashes.
_SIGN = re.compile(
    r"(?:&(?:amp;|#0*38;|#x0*26;)*(?P<entity>(?:#\d{1,7}|#x[0-9a-f]{1,6}|[a-z][a-z0-9]{1,31});?)"
    r"|\\|(?P<plain>[^&\\]+|.))",
    re.IGNORECASE | re.DOTALL,
)
_PING = re.compile(
    r"<!(?P<all>channel|here|everyone)\b(?:\|[^<>\n]*)?>?"
    r"|<!subteam\b(?:\^\w*)?(?:\|@?(?P<group>[^<>\n]*))?>?"
    r"|(?P<at>@)(?=(?:channel|here|everyone)(?!\w|[./-]\w))",
    re.IGNORECASE,
)
_LINK = re.compile(
    r"<(?P<address>[a-z][a-z0-9+.-]*:[^<>|\n]*)\|(?P<words>[^<>\n]*)>", re.IGNORECASE
)
_HARMLESS_AT = "\N{FULLWIDTH COMMERCIAL AT}"  # looks like @, pings nobody, and is as long

_FALLBACK = 3_000  # characters of the plain text beside the blocks
_NAMELESS = "(empty)"


def harmless(text: str) -> str:
    """The text without anything that pings a channel or a group; never longer than it was.

    What would show otherwise than it reads goes, too: see `plain_links` and `in_written_order`.
    `<@U…>` stays: it names one person.
    """
    text = _replaced(_LINK, plain_links(in_written_order(text)), _honest)
    return _replaced(_PING, text, _named)


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


def _replaced(
    pattern: re.Pattern[str], text: str, made: Callable[[re.Match[str]], str | None]
) -> str:
    """The text without what the pattern finds in it as Slack may read it; None leaves it."""
    read, starts = _as_read(text)
    done, at = "", 0
    for found in pattern.finditer(read):
        if (new := made(found)) is not None:
            done += text[at : starts[found.start()]] + new
            at = starts[found.end()]
    return done + text[at:]


def _as_read(text: str) -> tuple[str, list[int]]:
    """What Slack may read, and where in the text each of its characters begins; at last the end."""
    read, starts = "", list[int]()
    for found in _SIGN.finditer(text):
        if entity := found["entity"]:
            signs = html.unescape(f"&{entity}")
            starts += [found.start()] * len(signs)
        else:
            signs = found["plain"] or ""
            starts += range(found.start(), found.start() + len(signs))
        read += signs
    return read, [*starts, len(text)]


def _named(ping: re.Match[str]) -> str:
    name = ping["all"] or ping["group"] or ("" if ping["at"] else "group")
    return _HARMLESS_AT + name.replace("@", _HARMLESS_AT)


def _honest(link: re.Match[str]) -> str | None:
    if not names_another(link["words"], link["address"]):
        return None
    return f"{link['words']} ({link['address']})"
