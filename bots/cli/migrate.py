"""`moorings migrate`: bring the database to this version's schema."""

from __future__ import annotations

import logging

from bots.cli.start import with_settings
from core.config.settings import Settings
from storage.database import open_database


def migrate() -> None:
    """Bring the database up to date; safe at any time, twice, and from many processes at once."""
    with_settings(_migrate, level=logging.WARNING)


async def _migrate(settings: Settings) -> int:
    database = await open_database(settings.database_url)
    print(f"{database.url.shown} is up to date.")
    await database.close()
    return 0
