"""`moorings prune`: delete what ended long ago."""

from __future__ import annotations

import logging
import math
import re
import sys
from datetime import timedelta
from typing import Annotated

import typer
from rich.console import Console
from rich.status import Status

from bots.cli.start import refuse, with_settings
from bots.cli.table import show
from core import clock
from core.config.settings import Settings
from core.upkeep.retention import Retention
from core.upkeep.schedule import LOCK, Keep
from storage.database import open_database
from storage.retention import Pruned

_DURATION = re.compile(r"(?P<count>\d+(\.\d+)?)\s*(?P<unit>[hdw])", re.IGNORECASE)
_HOURS = {"h": 1, "d": 24, "w": 7 * 24}
_CENTURY_HOURS = 876_000
_ONLY_WORDS = (
    "Of what ended within {} days only the words go: the rest keeps messages from being "
    "answered twice."
)
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
                return await _deleted(retention, words, status)
    finally:
        await database.close()


async def _deleted(retention: Retention, words: timedelta, status: Status) -> Pruned:
    gone = Pruned()
    async for gone in retention.prune(words):
        status.update(f"Deleting … {gone.turns:,} turns, {gone.messages:,} messages")
    return gone


def _age(text: str) -> timedelta:
    found = _DURATION.fullmatch(text.strip())
    if found is None:
        refuse(f"--older-than {text}: write a number and h, d or w, as 90d, 12h or 4w.")
    hours = float(found["count"]) * _HOURS[found["unit"].lower()]
    if hours > _CENTURY_HOURS:
        refuse(f"--older-than {text}: nothing here is older than a century.")
    return timedelta(hours=hours)
