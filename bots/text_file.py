"""A code block or a table that is too long for a message, as a file."""

from __future__ import annotations

import csv
import re
import unicodedata
from dataclasses import dataclass
from io import StringIO
from textwrap import dedent

from core.markdown import Block, Kind, blocks, rows
from core.messaging.adapter import Limits
from core.messaging.messages import Outgoing
from core.text import in_written_order

_NUMBER = re.compile(r"[-+]?[\d.,]+(?:[eE][-+]?\d+)?[ \t]*%?")
_FORMULA = {"=", "+", "-", "@"}
_COMPUTED = ("csv", "tsv", "slk", "dif", "iqy")  # files that spreadsheets open by themselves
_ENDINGS = {
    **dict.fromkeys(_COMPUTED, "txt"),
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


@dataclass(frozen=True, slots=True, kw_only=True)
class TextFile:
    """What a platform is given to keep."""

    name: str
    content: bytes


def file_of(outgoing: Outgoing, limits: Limits) -> TextFile | None:
    """The file for a text that is longer than a message: one code block or table.

    See `core.turn.split`.
    """
    is_long = len(outgoing.text) > limits.text_length
    return as_file(outgoing.text, outgoing.key) if is_long else None


def as_file(text: str, key: str) -> TextFile:
    """A code block or a table as a file; its name carries the key, so that it can be found."""
    whole = _only_block(text)
    match whole.kind if whole else None:
        case Kind.CODE if whole:
            language = re.sub(r"\W", "", whole.info.partition(" ")[0].lower())[:10]
            ending, content = _ENDINGS.get(language, language), whole.content
        case Kind.TABLE:
            ending, content = "csv", _as_csv(text)
        case _:  # nothing of it is left out
            ending, content = "md", text
    written = in_written_order(content)
    return TextFile(name=f"answer-{key}.{ending}", content=f"{written}\n".encode())


def is_file_of(key: str, name: str) -> bool:
    """Whether a file with this name was made for this key."""
    return name.startswith(f"answer-{key}.")


def cut(text: str, length: int) -> str:
    """The first whole lines of it, at most `length` characters; a code block is closed."""
    whole = _only_block(text)
    closing = whole.closing if whole and whole.kind is Kind.CODE else ""
    lines, _, _ = text[: length - len(closing) - 1].rpartition("\n")
    return f"{lines}\n{closing}" if closing else lines


def _only_block(text: str) -> Block | None:
    """The block that the text is; None if there are more."""
    found = blocks(dedent(text).strip("\n"))
    return found[0] if len(found) == 1 else None


def _as_csv(text: str) -> str:
    written = StringIO()
    cells = ([_as_text(cell) for cell in row] for row in rows(text))
    csv.writer(written, lineterminator="\n").writerows(cells)
    return written.getvalue().rstrip("\n")


def _as_text(cell: str) -> str:
    """A cell that a spreadsheet does not compute: a formula may fetch an address by itself.

    What cannot be seen before it, such as a byte order mark, may be left out by whoever reads it.
    """
    seen = (each for each in unicodedata.normalize("NFKC", cell) if each.isprintable())
    is_formula = next((each for each in seen if each != " "), "") in _FORMULA
    return f"'{cell}" if is_formula and not _NUMBER.fullmatch(cell) else cell
