"""Turns a model's Markdown into a message: tables drawn as text, no pings, never empty."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import assert_never

from rich.cells import cell_len

from bots.links import plain_links
from core.graphemes import head
from core.markdown import Block, Kind, blocks, rows
from core.text import in_written_order

LONGEST = 2_000  # code points of a message: discord/discord-api-docs#1315

_LONGEST_NAME = 80
_NAMELESS = "(empty)"
_SAFE_AT = "\N{FULLWIDTH COMMERCIAL AT}"  # looks like @, pings nobody, and is as long
_WORD = re.compile(r"@(?=(?:everyone|here)(?!\w|[./-]\w))", re.IGNORECASE)
_ROLE = re.compile(r"<@&\d+>")
_DEEPEST_HEADING = 3  # that Discord knows
_HASHES = re.compile(r"#{4,6}[ \t]+(.+?)[ \t#]*$")

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
    lines = (line for block in blocks(text) for line in _shown(block, draw))
    return "\n".join(lines).strip() or _NAMELESS


def _shown(block: Block, draw: Draw) -> Sequence[str]:
    """Its lines, as Discord knows them."""
    match block.kind:
        case Kind.CODE:
            return _code(block)
        case Kind.TABLE:
            return _table(rows("\n".join(block.lines)), draw)
        case Kind.HEADING if block.level > _DEEPEST_HEADING:
            return [_HASHES.sub(lambda found: f"**{found[1].replace('**', '')}**", block.lines[0])]
        case Kind.HEADING | Kind.WORDS | Kind.BLANK:
            return block.lines
        case _:
            assert_never(block.kind)


def _table(cells: list[list[str]], draw: Draw) -> list[str]:
    plain = [[re.sub(r"\*\*|`", "", cell) for cell in row] for row in cells]
    return ["```", *draw(plain), "```"]


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


def _code(block: Block) -> Sequence[str]:
    """An open block is closed. Discord knows no fences of tildes: they become backticks."""
    lines = [*block.lines, *([] if block.is_closed else [block.closing])]
    if block.fence.startswith("`") or "```" in block.content:
        return lines
    return [f"{block.indent}```{block.info}", *lines[1:-1], f"{block.indent}```"]
