"""What Slack knows of people that they may be let in by: workspace and user groups."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from weakref import WeakValueDictionary

from bots.slack.failures import SlackRefused
from bots.slack.reader import Reader
from core.address import Address
from core.clock import monotonic
from core.config.access import GROUP
from core.errors import MooringsError
from core.messaging.messages import Author

log = logging.getLogger(__name__)

_NO_SUCH_GROUP = "no_such_subteam"
_FRESH_SECONDS = 300.0  # Slack is asked for a group's members so often at most
_RETRY_SECONDS = 15.0  # after it did not tell
_PATIENCE = 1.0  # seconds: Slack waits three for the acknowledgement

Group = tuple[str, str]
People = frozenset[str]


class Members:
    """A guard for the gate. What was known before stands in for what Slack does not tell."""

    def __init__(self, reader: Reader, teams: Callable[[], frozenset[str]]) -> None:
        self._reader = reader
        self._teams = teams
        self._asking: WeakValueDictionary[Group, asyncio.Lock] = WeakValueDictionary()
        self._members: dict[Group, tuple[float, People | None]] = {}

    def workspaces(self, at: Address) -> frozenset[str]:
        """Those that the bot is installed in, also one of a moment ago."""
        return self._teams() | {at.parts[0]}

    async def among(
        self, author: Author, at: Address, workspaces: frozenset[str]
    ) -> frozenset[str]:
        """The one that the event came from, if it is among them."""
        return workspaces & {at.parts[0]}

    async def belongings(
        self, author: Author, at: Address, wanted: frozenset[str]
    ) -> frozenset[str] | None:
        """Their user groups of these; None: Slack does not tell of one."""
        async with asyncio.TaskGroup() as group:
            asking = {
                each: group.create_task(self._of((at.parts[0], each.removeprefix(GROUP))))
                for each in wanted
            }
        found = {each: task.result() for each, task in asking.items()}
        if None in found.values():
            return None
        return frozenset(each for each, people in found.items() if author.id in (people or ()))

    async def _of(self, group: Group) -> People | None:
        """Who is in it: whoever else wants to know meanwhile waits for the same answer."""
        async with self._asking.setdefault(group, asyncio.Lock()):
            return await self._told(group)

    async def _told(self, group: Group) -> People | None:
        until, known = self._members.get(group, (0.0, None))
        if monotonic() < until:
            return known
        seconds = _FRESH_SECONDS
        try:
            async with asyncio.timeout(_PATIENCE):
                known = await self._asked(group)
        except (MooringsError, TimeoutError) as error:
            seconds = _RETRY_SECONDS
            extra = {"team": group[0], "group": group[1], "why": str(error)}
            log.warning("user group not told", extra=extra)
        self._members[group] = monotonic() + seconds, known
        return known

    async def _asked(self, group: Group) -> People:
        try:
            return frozenset(await self._reader.group(*group))
        except SlackRefused as refused:
            if refused.code != _NO_SUCH_GROUP:  # that is another workspace's
                raise
            return frozenset()
