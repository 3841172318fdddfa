"""Backs up a database while it is used, checks a backup, and restores it into an empty database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import aclosing
from datetime import datetime
from pathlib import Path

from core import kill_points
from core.errors import ConfigMistake
from core.upkeep.backup_file import Contents, Reader, Writer
from storage import backup
from storage.backup import Page
from storage.database import Database

Progress = Callable[[int], object]  # told how many rows are done


async def write(database: Database, file: Path, now: datetime, progress: Progress) -> Contents:
    """Write all that the database has now into a new file.

    Raises:
        ConfigMistake: it is there, or cannot be written; nothing of it is left behind.
        DatabaseBusy, DatabaseUnusable: the database gives no answer.
    """
    writer, count = Writer(file, now), 0
    try:
        async with aclosing(backup.pages(database)) as pages:
            async for page in pages:
                await asyncio.to_thread(writer.add, page)
                count += len(page.rows)
                progress(count)
                kill_points.reach("rows backed up")
        return await asyncio.to_thread(writer.finish)
    finally:
        writer.leave()


def check(file: Path, progress: Progress) -> Contents:
    """Read all of a backup, without a database.

    Raises:
        ConfigMistake: it is none, is cut off, or is not what was written.
    """
    with Reader(file) as reader:
        pages, count = reader.pages(), 0
        while True:
            try:
                page = next(pages)
            except StopIteration as end:
                contents: Contents = end.value
                return contents
            count += len(page.rows)
            progress(count)


async def restore(database: Database, file: Path, now: datetime, progress: Progress) -> None:
    """Fill an empty database, just opened, with all of a backup; or with nothing of it.

    Raises:
        ConfigMistake: a bot uses the database, or as `check` does.
        DatabaseBusy, DatabaseUnusable: it is not empty, or gives no answer.
    """
    if await backup.is_in_use(database):
        raise ConfigMistake(
            "Another process has this database open, as a bot or a chat has: stop it first."
        )
    with Reader(file) as reader:
        async with aclosing(_told(reader.pages(), progress)) as pages:
            await backup.fill(database, pages, now)


async def _told(pages: Generator[Page, None, Contents], progress: Progress) -> AsyncGenerator[Page]:
    count = 0
    while page := await asyncio.to_thread(next, pages, None):
        yield page
        count += len(page.rows)
        progress(count)
        kill_points.reach("rows restored")
