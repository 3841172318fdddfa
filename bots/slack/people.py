"""The people of the workspaces: what they are called, and who may manage a channel."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from weakref import WeakValueDictionary

from cachetools import LRUCache, TTLCache

from bots.slack.reader import Channel, Reader
from core.address import Address
from core.clock import monotonic
from core.errors import MooringsError

log = logging.getLogger(__name__)

_PATIENCE = 1.0  # seconds: Slack waits three for the acknowledgement
_UNTOLD_SECONDS = 60.0
_MOST_KEPT = 10_000


class People:
    """Names are asked for once in the life of the process; unknown ones are the person's id.

    What Slack did not tell, or not in time, is not asked for again before a minute is over: whoever
    wrote waits for it.
    """

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._names = LRUCache[tuple[str, str], str](_MOST_KEPT)
        self._untold = TTLCache[tuple[str, str], bool](_MOST_KEPT, _UNTOLD_SECONDS, monotonic)
        self._asking: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()

    async def names(self, team: str, users: Iterable[str]) -> dict[str, str]:
        """The names of these people by id, as far as Slack tells them in time."""
        wanted = set(users)
        unknown = sorted(
            user
            for user in wanted
            if (team, user) not in self._names and (team, user) not in self._untold
        )
        try:
            async with asyncio.timeout(_PATIENCE), asyncio.TaskGroup() as group:
                for user in unknown:
                    group.create_task(self._learn(team, user))
        except TimeoutError:
            log.info("names not told in time", extra={"team": team})
            missing = [(team, user) for user in unknown if (team, user) not in self._names]
            self._untold.update(dict.fromkeys(missing, True))
        known = {user: self._names.get((team, user)) for user in wanted}
        return {user: name for user, name in known.items() if name}

    async def may_manage(self, team: str, channel: str, user: str) -> bool | None:
        """Whether somebody is an administrator or made the channel; None if Slack does not tell."""
        if channel.startswith("D"):
            return True
        try:
            async with asyncio.timeout(_PATIENCE):
                person = await self._reader.person(team, user)
                return person.is_admin or await self._reader.creator(team, channel) == user
        except (MooringsError, TimeoutError) as error:
            log.warning("rights unknown", extra={"team": team, "why": str(error)})
            return None

    async def channel(self, team: str, channel: str) -> Channel | None:
        """What Slack says of a channel; None where it does not tell."""
        try:
            async with asyncio.timeout(_PATIENCE):
                return await self._reader.channel(team, channel)
        except (MooringsError, TimeoutError) as error:
            log.warning("channel unknown", extra={"team": team, "why": str(error)})
            return None

    async def sees(self, team: str, user: str) -> list[Address]:
        """The public channels of the bot that somebody can see: a guest sees only where they are.

        None at all where Slack does not tell.
        """
        try:
            person = await self._reader.person(team, user)
            return await self._reader.channels(
                team, "public_channel", user=user if person.is_guest else None
            )
        except MooringsError as error:
            log.warning("channels unknown", extra={"team": team, "why": str(error)})
            return []

    async def _learn(self, team: str, user: str) -> None:
        """Whoever else wants the name meanwhile waits for the same answer."""
        async with self._asking.setdefault((team, user), asyncio.Lock()):
            if (team, user) not in self._names:
                await self._ask(team, user)

    async def _ask(self, team: str, user: str) -> None:
        try:
            person = await self._reader.person(team, user)
        except MooringsError as error:
            log.info("name unknown", extra={"team": team, "user": user, "why": str(error)})
            self._untold[team, user] = True
            return
        self._names[team, user] = person.name
