"""The Markdown of a model as Slack shows it: harmless, and with a plain text beside it."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from io import StringIO

# What stands for <! in one of Slack's readings of Markdown: entities and backslashes go.
_OPEN = r"(?:<|&lt;|&#0*60;|&#x0*3c;)\\*!\\*"
_PING = re.compile(rf"{_OPEN}(channel|here|everyone)\b(?:\|[^<>\n]*)?(?:>|&gt;)?", re.IGNORECASE)
_GROUP = re.compile(rf"{_OPEN}subteam\b(?:\\?\^\w*)?(?:\|@?([^<>\n]*))?(?:>|&gt;)?", re.IGNORECASE)
_WORD = re.compile(r"@(?=\\*(?:channel|here|everyone)\b)", re.IGNORECASE)
_HARMLESS_AT = "\N{FULLWIDTH COMMERCIAL AT}"  # looks like @, pings nobody, and is as long

_FALLBACK = 3_000  # characters of the plain text beside the blocks
_NAMELESS = "(empty)"

_FENCED = re.compile(
    r"\A {0,3}(`{3,}|~{3,})[ \t]*([^\s`]*)[^\n]*\n(.*?)\n? {0,3}\1[`~]*\s*\Z", re.DOTALL
)
_ENDINGS = {
    "python": "py",
    "javascript": "js",
    "typescript": "ts",
    "shell": "sh",
    "bash": "sh",
    "markdown": "md",
    "csharp": "cs",
    "ruby": "rb",
    "rust": "rs",
    "text": "txt",
    "": "txt",
}
_CELL_BORDER = re.compile(r"(?<!\\)\|")


@dataclass(frozen=True, slots=True, kw_only=True)
class TextFile:
    """A code block or a table that is too long for a message."""

    name: str
    content: bytes


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


def as_file(text: str, key: str) -> TextFile:
    """A code block or a table as a file; its name carries the key, so that it can be found."""
    if found := _FENCED.match(text):
        language = re.sub(r"\W", "", found[2].lower())[:10]
        ending, content = _ENDINGS.get(language, language), found[3]
    else:
        ending, content = "csv", _as_csv(text)
    return TextFile(name=f"answer-{key}.{ending}", content=f"{content}\n".encode())


def _as_csv(table: str) -> str:
    written = StringIO()
    rows = csv.writer(written, lineterminator="\n")
    head, _, *body = table.strip().split("\n")
    for line in (head, *body):
        cells = _CELL_BORDER.split(line.strip().removeprefix("|").removesuffix("|"))
        rows.writerow(cell.strip().replace("\\|", "|") for cell in cells)
    return written.getvalue().rstrip("\n")
