"""Turns a model's Markdown into a message: tables drawn as text, no pings, never empty."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from rich.cells import cell_len

from bots import table
from bots.links import plain_links
from core.graphemes import head
from core.text import in_written_order

LONGEST = 2_000  # code points of a message: discord/discord-api-docs#1315

_LONGEST_NAME = 80
_NAMELESS = "(empty)"
_SAFE_AT = "\N{FULLWIDTH COMMERCIAL AT}"  # looks like @, pings nobody, and is as long
_WORD = re.compile(r"@(?=(?:everyone|here)(?!\w|[./-]\w))", re.IGNORECASE)
_ROLE = re.compile(r"<@&\d+>")
_FENCE = re.compile(r"^ {0,3}(`{3,16}(?=[^`]*$)|~{3,16}(?!~))")
_DEEP_HEADING = re.compile(r"^ {0,3}#{4,6}[ \t]+(.+?)[ \t#]*$", re.MULTILINE)
_TABLE = re.compile(
    r"^[^\n]*\|[^\n]*\n"
    r"(?=[^\n]*\|) {0,3}\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*$"
    r"(?:\n[^\n]*\|[^\n]*)*",
    re.MULTILINE,
)

Draw = Callable[[list[list[str]]], Iterator[str]]


def render(text: str, name: str | None) -> str:
    """The content of a message, below the agent's name; "(empty)" for nothing.

    If drawn tables make it longer than a message, they are drawn narrower, or left as Markdown.
    The name is left out if it is longer than it was when the answer was split.
    """
    plain, above = sanitized(text), byline(name)
    above = f"{above}\n" if above else ""
    for draw in (_aligned, _narrow):
        content = above + _drawn(plain, draw)
        if len(content) <= LONGEST:
            return content
    as_is = plain.strip() or _NAMELESS
    return above + as_is if len(above + as_is) <= LONGEST else as_is


def byline(name: str | None) -> str:
    """The line in small print with the agent's name; empty for none."""
    return f"-# {head(sanitized(' '.join(name.split())), _LONGEST_NAME)}" if name else ""


def name_length(name: str | None) -> int:
    """How many characters the name takes above a text, with its line break."""
    above = byline(name)
    return len(above) + 1 if above else 0


def sanitized(text: str) -> str:
    """The text without pings of everybody or a role; never longer than it was.

    Links whose text hides their address and bidirectional controls go, too: see `plain_links` and
    `in_written_order`. `@here/maps` stays: every call sends `AllowedMentions.none()` as well.
    """
    text = plain_links(in_written_order(text))
    return _WORD.sub(_SAFE_AT, _ROLE.sub(f"{_SAFE_AT}role", text))


def _drawn(text: str, draw: Draw) -> str:
    pieces = (piece if is_code else _words(piece, draw) for is_code, piece in _pieces(text))
    return "\n".join(pieces).strip() or _NAMELESS


def _words(text: str, draw: Draw) -> str:
    text = _DEEP_HEADING.sub(lambda found: f"**{found[1].replace('**', '')}**", text)
    return _TABLE.sub(lambda found: _block(table.rows(found[0]), draw), text)


def _block(cells: list[list[str]], draw: Draw) -> str:
    plain = [[re.sub(r"\*\*|`", "", cell) for cell in row] for row in cells]
    return "\n".join(["```", *draw(plain), "```"])


def _aligned(cells: list[list[str]]) -> Iterator[str]:
    count = max(map(len, cells))
    widths = [max(cell_len(row[at]) for row in cells if at < len(row)) for at in range(count)]
    for number, row in enumerate(cells):
        padded = (
            cell + " " * (width - cell_len(cell)) for cell, width in zip(row, widths, strict=False)
        )
        yield "  ".join(padded).rstrip()
        if number == 0:
            yield "  ".join("─" * width for width in widths)


def _narrow(cells: list[list[str]]) -> Iterator[str]:
    return (" | ".join(row) for row in cells)


def _pieces(text: str) -> Iterator[tuple[bool, str]]:
    """The text in pieces, each with whether it is a code block.

    An open block is closed. Discord knows no fences of tildes: they become backticks.
    """
    marker, run = "", list[str]()
    for line in text.split("\n"):
        found = _FENCE.match(line)
        if marker:
            run.append(line)
            if found and found[1].startswith(marker) and line.strip() == found[1]:
                yield True, _code(run)
                marker, run = "", []
        elif found:
            if run:
                yield False, "\n".join(run)
            marker, run = found[1], [line]
        else:
            run.append(line)
    if marker:
        yield True, _code([*run, marker])
    elif run:
        yield False, "\n".join(run)


def _code(lines: list[str]) -> str:
    opening, *code, _ = lines
    text = "\n".join(code)
    if not opening.lstrip().startswith("~") or "```" in text:
        return "\n".join(lines)
    return f"```{opening.strip().lstrip('~').strip()}\n{text}\n```"
