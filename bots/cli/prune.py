"""`moorings prune`: delete what ended long ago."""

from __future__ import annotations

import logging
import math
import re
import sys
from datetime import timedelta
from shlex import quote
from typing import Annotated

import humanize
import typer
from rich.console import Console
from rich.status import Status

from bots.cli.start import refuse, with_settings
from bots.cli.table import show
from core import clock
from core.config.settings import Settings
from core.upkeep.retention import Retention, give_back
from core.upkeep.schedule import LOCK, Keep
from storage import free_space
from storage.database import Database, open_database
from storage.retention import Pruned

_DURATION = re.compile(r"(?P<count>\d+(\.\d+)?)\s*(?P<unit>[hdw])", re.IGNORECASE)
_HOURS = {"h": 1, "d": 24, "w": 7 * 24}
_CENTURY_HOURS = 876_000
_ONLY_WORDS = (
    "Of what ended within {} days only the words go: the rest keeps messages from being "
    "answered twice."
)
# What is left to do to make room on the disk, where nothing of it can be done beside a bot.
_LEFT = {
    "sqlite": (
        "{0} of the file are free and will be used again. To give them back to the disk, stop the "
        "bot and run once: sqlite3 {1} 'PRAGMA auto_vacuum=INCREMENTAL; VACUUM'. It takes as much "
        "room again meanwhile; from then on every prune gives back what it frees."
    ),
    "postgres": (
        "The room will be used again. PostgreSQL gives it back to the disk only by VACUUM FULL, "
        "for which the bot has to be stopped."
    ),
    "mysql": (
        "The room will be used again. MySQL and MariaDB give it back to the disk only by "
        "OPTIMIZE TABLE, best while the bot is stopped."
    ),
}
_WORTH = 1_000_000  # bytes that are spoken of
_KINDS = {
    "turns": "turns",
    "messages": "messages of histories",
    "steps": "steps",
    "received": "messages received",
    "sent": "messages sent",
    "usage": "model calls",
    "feedback": "opinions",
    "summaries": "summaries",
}


def prune(
    older_than: Annotated[
        str | None,
        typer.Option(
            "--older-than",
            metavar="AGE",
            help="As 90d, 12h or 4w; else MOORINGS_RETENTION_DAYS.",
        ),
    ] = None,
    *,
    is_dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be deleted.")
    ] = False,
) -> None:
    """Delete answers that ended longer ago, with their questions and everything of them."""
    age = None if older_than is None else _age(older_than)

    async def pruned(settings: Settings) -> int:
        keep = Keep.of(settings)
        if (words := age if age is not None else keep.words) is None:
            refuse(
                "Say what to delete: --older-than 90d, or set MOORINGS_RETENTION_DAYS, "
                "which a running bot applies by itself."
            )
        retention = Retention(clock.now, catch_up=keep.catch_up)
        gone = await _applied(settings, retention, words, is_dry_run=is_dry_run)
        heading = "WOULD BE DELETED" if is_dry_run else "DELETED"
        show(("KIND", heading), [(_KINDS[kind], f"{n:,}") for kind, n in gone.counts.items()])
        if words < retention.protected:
            days = math.ceil(retention.protected / timedelta(days=1))
            print(_ONLY_WORDS.format(days), file=sys.stderr)
        return 0

    with_settings(pruned, level=logging.WARNING)


async def _applied(
    settings: Settings, retention: Retention, words: timedelta, *, is_dry_run: bool
) -> Pruned:
    database = await open_database(settings.database_url)
    try:
        with Console(stderr=True).status("Looking …") as status:
            if is_dry_run:
                return await retention.count(words)
            status.update("Waiting for the upkeep of a bot …")
            async with database.only_one(LOCK):
                pruned = await _deleted(retention, words, status)
                given = await _given_back(status) if database.file else 0
        if left := await _left(database, pruned):
            print(left, file=sys.stderr)
        elif given >= _WORTH:
            print(f"{humanize.naturalsize(given)} were given back to the disk.", file=sys.stderr)
        return pruned
    finally:
        await database.close()


async def _deleted(retention: Retention, words: timedelta, status: Status) -> Pruned:
    gone = Pruned()
    async for gone in retention.prune(words):
        status.update(f"Deleting … {gone.turns:,} turns, {gone.messages:,} messages")
    return gone


async def _given_back(status: Status) -> int:
    given = 0
    async for given in give_back():
        status.update(f"Giving back … {humanize.naturalsize(given)}")
    return given


async def _left(database: Database, pruned: Pruned) -> str | None:
    """What only the operator can do."""
    if database.file is None:
        return _LEFT[database.url.dialect] if any(pruned.counts.values()) else None
    found = await free_space.look()
    if found.can_shrink or found.free < _WORTH:
        return None
    return _LEFT["sqlite"].format(humanize.naturalsize(found.free), quote(str(database.file)))


def _age(text: str) -> timedelta:
    found = _DURATION.fullmatch(text.strip())
    if found is None:
        refuse(f"--older-than {text}: write a number and h, d or w, as 90d, 12h or 4w.")
    hours = float(found["count"]) * _HOURS[found["unit"].lower()]
    if hours > _CENTURY_HOURS:
        refuse(f"--older-than {text}: nothing here is older than a century.")
    return timedelta(hours=hours)
