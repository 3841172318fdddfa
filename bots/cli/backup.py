"""`moorings backup`: a consistent copy of everything, while a bot runs."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Annotated

import typer
from humanize import naturalsize
from rich.console import Console

from bots.cli.start import exit_with, with_settings
from core import clock
from core.config.settings import Settings
from core.errors import ConfigMistake
from core.upkeep import backup as backups
from core.upkeep.backup_file import Contents
from storage.database import examine, open_database

_LEFT_OUT = (
    "{} installed workspaces were left out, since their tokens are not encrypted: set "
    "MOORINGS_SECRET_KEY and start the bot once, or install the app there again after a restore."
)


def backup(
    file: Annotated[Path, typer.Argument(help="A file that is not there yet.")],
    *,
    is_check: Annotated[
        bool, typer.Option("--check", help="Only read a backup, and say whether it is whole.")
    ] = False,
) -> None:
    """Write all that the database has into a file; a bot may run meanwhile."""
    if is_check:
        exit_with(lambda: _checked(file))
    with_settings(lambda settings: _written(settings, file), level=logging.WARNING)


async def _written(settings: Settings, file: Path) -> int:
    found = await examine(settings.database_url)
    if found.newest is None:  # opened, it would be made
        raise ConfigMistake("There is no database of Moorings yet: check DATABASE_URL.")
    database = await open_database(settings.database_url)
    try:
        with Console(stderr=True).status("Backing up …") as status:
            contents = await backups.write(
                database, file, clock.now(), lambda n: status.update(f"Backing up … {n:,} rows")
            )
    finally:
        await database.close()
    print(_described(file, contents))
    if contents.left_out:
        print(_LEFT_OUT.format(contents.left_out), file=sys.stderr)
    return 0


async def _checked(file: Path) -> int:
    with Console(stderr=True).status("Reading …") as status:
        contents = backups.check(file, lambda n: status.update(f"Reading … {n:,} rows"))
    print(f"{_described(file, contents)} It is whole.")
    return 0


def _described(file: Path, contents: Contents) -> str:
    rows, size = sum(contents.rows.values()), naturalsize(file.stat().st_size)
    return f"{file}: {rows:,} rows, {size}, as of {contents.made_at:%Y-%m-%d %H:%M:%S} UTC."
