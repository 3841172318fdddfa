"""`moorings restore`: fill an empty database with a backup."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bots.cli.start import with_settings
from core import clock
from core.config.settings import Settings
from core.upkeep import backup
from storage.database import open_database


def restore(
    file: Annotated[Path, typer.Argument(help="What `moorings backup` wrote.")],
) -> None:
    """Fill an empty database, of whichever kind, with a backup; no bot may run on it meanwhile."""
    with_settings(lambda settings: _restored(settings, file), level=logging.WARNING)


async def _restored(settings: Settings, file: Path) -> int:
    with Console(stderr=True).status("Reading …") as status:
        contents = backup.check(file, lambda n: status.update(f"Reading … {n:,} rows"))
        await (await open_database(settings.database_url)).close()  # migrated, whoever did that
        database = await open_database(settings.database_url)
        try:
            count = sum(contents.rows.values())
            await backup.restore(
                database,
                file,
                clock.now(),
                lambda n: status.update(f"Restoring … {n:,} of {count:,} rows"),
            )
        finally:
            await database.close()
    print(f"{database.url.shown} has all {count:,} rows of {file}.")
    return 0
