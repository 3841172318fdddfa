"""A Markdown table, cell by cell."""

from __future__ import annotations

import re

_BORDER = re.compile(r"(?<!\\)\|")


def rows(table: str) -> list[list[str]]:
    """Head and body of a table, whose second line is neither."""
    head, _, *body = table.strip().split("\n")
    return [_cells(line) for line in (head, *body)]


def _cells(line: str) -> list[str]:
    cells = _BORDER.split(line.lstrip(" \t>").rstrip().removeprefix("|").removesuffix("|"))
    return [cell.strip().replace("\\|", "|") for cell in cells]
