"""A backup every day, by one of all processes, and the old ones deleted."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import random
import re
import secrets
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta

from core import kill_points
from core.clock import Clock
from core.config.agents_file import BackupPlan
from core.errors import ConfigMistake
from core.upkeep import backup
from core.upkeep.backup_file import PART
from storage import cursors
from storage.database import Database
from storage.errors import StorageError

log = logging.getLogger(__name__)

LATE = timedelta(days=1, hours=6)  # after which the last one is too old
_NAME = "backup"  # of the lock, and of what says when it was done last
_ID = "backup/id"  # under it stands what tells this database from others
_FILE = r"moorings-\d{4}-\d\d-\d\dT\d{12}Z-{}\.jsonl"
_LOOK_SECONDS = 300.0  # between two looks whether it is time, at most
_PATIENCE = timedelta(hours=1)  # after one that failed: a disk that is full is not filled again


async def age(now: datetime) -> timedelta | None:
    """How long ago the last one was, by whichever process; None if there was none.

    Raises:
        DatabaseBusy, DatabaseUnusable: the database cannot tell.
    """
    done = await cursors.last_seen(_NAME)
    return None if done is None else now - datetime.fromisoformat(done)


class Nightly:
    """Every process looks when it is time; whoever has the lock of the database does it.

    The moment of the last one is written when its file is there: whoever dies before leaves it to
    the next look, which writes another one.
    """

    def __init__(
        self, database: Database, clock: Clock, plan: Callable[[], BackupPlan | None]
    ) -> None:
        """`plan` is what the agents file says now."""
        self._database = database
        self._clock = clock
        self._plan = plan
        self._failed_at: datetime | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Look at once, whenever it is time, and now and then, until `stop`."""
        while not stop.is_set():
            await self.look()
            with suppress(TimeoutError):
                async with asyncio.timeout(self._seconds()):
                    await stop.wait()

    async def look(self) -> bool:
        """Back up if it is time and nobody else does; what fails is logged, and tried again."""
        plan, now = self._plan(), self._clock()
        if plan is None or (self._failed_at and now - self._failed_at < _PATIENCE):
            return False
        try:
            async with self._database.if_free(_NAME) as is_mine:
                if not is_mine or not await self._is_time(plan):
                    return False
                await self._back_up(plan)
        except (ConfigMistake, StorageError, OSError) as error:
            log.error("backup failed", extra={"why": str(error)})  # noqa: TRY400  # says all
            self._failed_at = now
            return False
        return True

    async def _back_up(self, plan: BackupPlan) -> None:
        now = self._clock()
        mark = await self._mark(now)
        file = plan.to / f"moorings-{now:%Y-%m-%dT%H%M%S%f}Z-{mark}.jsonl"
        await asyncio.to_thread(plan.to.mkdir, mode=0o700, parents=True, exist_ok=True)
        contents = await backup.write(self._database, file, now, _tell_nobody)
        kill_points.reach("backup written")
        await cursors.see(_NAME, now.isoformat(), now)
        deleted = await asyncio.to_thread(_rotate, plan, mark)
        told = {"file": str(file), "rows": sum(contents.rows.values()), "deleted": deleted}
        log.info("backup written", extra=told)
        if contents.left_out:
            log.warning(
                "backup without tokens in plain text", extra={"workspaces": contents.left_out}
            )

    async def _mark(self, now: datetime) -> str:
        """Tells this database's files from those of others, of which it may be a copy."""
        if (known := await cursors.last_seen(_ID)) is None:
            known = secrets.token_hex(8)
            await cursors.see(_ID, known, now)
        named = f"{known}/{self._database.file or self._database.url.shown}"
        return hashlib.sha256(named.encode()).hexdigest()[:8]

    async def _is_time(self, plan: BackupPlan) -> bool:
        """A moment that has not come yet is of a clock that was wrong."""
        now = self._clock()
        passed = await age(now)
        return passed is None or passed > now - plan.due(now) or passed < -_PATIENCE

    def _seconds(self) -> float:
        seconds = _LOOK_SECONDS * random.uniform(0.5, 1.5)  # noqa: S311  # no secret
        if (plan := self._plan()) is None:
            return seconds
        now = self._clock()
        return min(seconds, (plan.due(now) + timedelta(days=1) - now).total_seconds())


def _tell_nobody(_: int) -> None:
    """Nobody watches."""


def _rotate(plan: BackupPlan, mark: str) -> int:
    """Delete all but the newest ones, and what was left by processes that were killed."""
    is_ours = re.compile(_FILE.replace("{}", mark))
    names = sorted(each.name for each in plan.to.iterdir())
    old = [name for name in names if is_ours.fullmatch(name)][: -plan.keep]
    halves = [name for name in names if is_ours.match(name) and name.endswith(PART)]
    for name in (*old, *halves):
        (plan.to / name).unlink(missing_ok=True)
    return len(old)
