"""Markdown as blocks of whole lines: code, tables, headings, words, and the blank lines between."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cache

from markdown_it import MarkdownIt
from markdown_it.token import Token

_DEEPEST = 20  # containers in each other; what is deeper is words
_BOLD_LINE = re.compile(r"^ {0,3}\*\*[^*]+\*\*:?[ \t]*$")
_BACKTICKS = re.compile(r"`+")
_BORDER = re.compile(r"(?<!\\)\|")
_INDENT = re.compile(r"[^>\t]")  # of code: a quotation's marks, and spaces for a list's
_BEGINS = {"list_item_open", "paragraph_open", "heading_open", "hr", "fence", "table_open"}


class Kind(Enum):
    """What a block is."""

    CODE = "between fences"
    TABLE = "a head, a delimiter and rows"
    HEADING = "a line of # or in bold"
    WORDS = "a paragraph, or the first of a list item"
    BLANK = "an empty line"


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Lines that belong together; those of all blocks are those of the text.

    `level` is that of a heading of #. Code has `content`, the `fence` that it begins with and the
    `info` behind that, stands behind the `indent` of a list item or a quotation, and may not be
    closed.
    """

    kind: Kind
    lines: Sequence[str]
    level: int = 0
    content: str = ""
    fence: str = ""
    info: str = ""
    indent: str = ""
    is_closed: bool = True

    @property
    def closing(self) -> str:
        """The line that ends this code where it stands."""
        return f"{self.indent}{self.fence}"


def blocks(text: str) -> list[Block]:
    """The text, block by block, as CommonMark and GitHub's tables have them; no line is changed.

    HTML, indented code and underlined headings are words: chats do not know them.
    """
    lines, found, at = text.split("\n"), list[Block](), 0
    begun = _begun(text)
    while at < len(lines):
        block = _block(lines, at, begun)
        found.append(block)
        at += len(block.lines)
    return found


def rows(table: str) -> list[list[str]]:
    """Head and body of a table, cell by cell; its second line is neither."""
    head, _, *body = table.strip().split("\n")
    return [_cells(line) for line in (head, *body)]


def _cells(line: str) -> list[str]:
    cells = _BORDER.split(line.lstrip(" \t>").rstrip().removeprefix("|").removesuffix("|"))
    return [cell.strip().replace("\\|", "|") for cell in cells]


def fence(text: str) -> str:
    """Backticks that may stand around this text: longer than every row of them in it."""
    return "`" * max(3, 1 + max(map(len, _BACKTICKS.findall(text)), default=0))


@cache
def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "maxNesting": _DEEPEST}).enable("table")
    return parser.disable(["inline", "lheading", "reference", "text_join"])


def _begun(text: str) -> dict[int, Token]:
    """What begins in each line; of a list item and what it begins with, the latter."""
    as_spaces = text.replace("\r", " ")  # else the parser would see more lines than there are
    tokens = _parser().parse(as_spaces)
    return {token.map[0]: token for token in tokens if token.map and token.type in _BEGINS}


def _block(lines: Sequence[str], at: int, begun: Mapping[int, Token]) -> Block:
    token = begun.get(at)
    match token.type if token else None:
        case "fence" if token:
            return _code(lines, token)
        case "table_open" if token:
            end = next((n for n in range(at + 2, _end(token)) if "|" not in lines[n]), _end(token))
            return Block(kind=Kind.TABLE, lines=lines[at:end])
        case "heading_open" if token:
            level = len(token.markup)
            return Block(kind=Kind.HEADING, lines=lines[at : at + 1], level=level)
        case _:
            return _words(lines, at, begun)


def _end(token: Token) -> int:
    return token.map[1] if token.map else 0


def _code(lines: Sequence[str], token: Token) -> Block:
    at, end = token.map or (0, 0)
    content = len(token.content.removesuffix("\n").split("\n")) if token.content else 0
    return Block(
        kind=Kind.CODE,
        lines=lines[at:end],
        content=token.content.removesuffix("\n"),
        fence=token.markup,
        info=token.info.strip(),
        indent=_INDENT.sub(" ", lines[at].partition(token.markup)[0]),
        is_closed=end - at > content + 1,
    )


def _words(lines: Sequence[str], at: int, begun: Mapping[int, Token]) -> Block:
    if not lines[at].strip():
        return Block(kind=Kind.BLANK, lines=lines[at : at + 1])
    if _BOLD_LINE.match(lines[at]):
        return Block(kind=Kind.HEADING, lines=lines[at : at + 1])
    end = at + 1
    while end < len(lines) and end not in begun and _goes_on(lines[end]):
        end += 1
    return Block(kind=Kind.WORDS, lines=lines[at:end])


def _goes_on(line: str) -> bool:
    """Whether it may belong to the words above it."""
    return bool(line.strip()) and not _BOLD_LINE.match(line)
