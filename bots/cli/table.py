"""A plain table on stdout: aligned at a terminal, tab-separated for a program."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from bots.terminal.harmless import harmless


def show(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print the rows; without any, only the headings."""
    if not sys.stdout.isatty():
        for row in (headings, *rows):
            print("\t".join(" ".join(harmless(cell).split()) for cell in row))
        return
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*(Text(harmless(cell)) for cell in row))
    Console(highlight=False).print(table)
