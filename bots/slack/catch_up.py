"""Finds what was written while nobody listened, and lets it be answered once, oldest first."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bots.catching_up import CatchingUp, ask_database
from bots.hearing import hear, insist, storable
from bots.slack import parse
from bots.slack.mention_commands import Words
from bots.slack.missed_messages import Missed
from bots.slack.own import Own
from bots.slack.people import People
from bots.slack.reader import Bot, Places, Reader
from bots.slack.refusals import Refusals
from bots.slack.waiting_messages import WaitingMessages
from core.address import Address
from core.clock import Clock, monotonic
from core.messaging.cursors import Cursors
from core.messaging.intake import Accepted, Reception
from core.messaging.messages import PlatformMessage
from core.turn.backlog import Backlog

log = logging.getLogger(__name__)

_FIRST = "first"  # the cursor that says when the bot was here for the first time
_OVERLAP = 600_000_000  # microseconds that are read again: Slack's own retries take six minutes
_THREADS_OF = timedelta(days=7)
_MOST_THREADS = 1_000  # a page of a channel tells of two hundred
_BEAT_SECONDS = 5.0
_WORTH_SECONDS = 60.0  # by which a cursor moves: far less than what is read again anyway
_AT_ONCE = 4  # channels of a workspace

Teams = Callable[[], Awaitable[list[Bot]]]
Threads = Mapping[str, list[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """What it is done with. `teams` are all workspaces; `own` as `parse.message` takes it."""

    teams: Teams
    own: Callable[[], Own]
    reader: Reader
    people: People
    reception: Reception
    cursors: Cursors
    refusals: Refusals
    words: Words


class _Kept:
    """A workspace while this process listens to it."""

    def __init__(self, bot: Bot, reader: Reader) -> None:
        self.bot = bot
        self.missed = Missed(bot, reader)
        self.behind = asyncio.Event()
        self.has_news = False
        self.task: asyncio.Task[None] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Gap:
    """A channel in which nothing is known from `start` on; `is_long` if Slack gave up since.

    `is_shared` with another workspace.
    """

    address: Address
    is_shared: bool
    start: int
    is_long: bool


class CatchUp:
    """Works in the background; what comes in meanwhile is never kept waiting.

    Each workspace is caught up for itself: one that cannot be reached keeps no other one waiting.
    A workspace's cursor says up to when everything was heard there. It moves when something came,
    while somebody listens and nothing is being caught up, so that it still says so after a crash.
    A channel's cursor says how far catching up has come where it found something, so that it goes
    on from there.
    """

    def __init__(self, sources: Sources, clock: Clock, *, hours: float, backlog: Backlog) -> None:
        self._from = sources
        self._waiting = WaitingMessages(sources.reception, sources.people, sources.own)
        self._clock = clock
        self._most = timedelta(hours=hours)
        self._listening = asyncio.Event()
        self._kept: dict[str, _Kept] = {}
        self._first: set[str] = set()
        self._progress = CatchingUp("slack", sources.cursors, backlog)
        self.has_caught_up = self._progress.has_ended

    def missed(self) -> None:
        """Something may have been missed until now, in any workspace."""
        for kept in self._kept.values():
            kept.behind.set()

    def gave_up(self, team: str) -> None:
        """Something of this workspace may not have been stored, and will not come again."""
        if kept := self._kept.get(team):
            kept.behind.set()

    def came(self, team: str) -> None:
        """Something has come from this workspace, and needs to come no more."""
        if kept := self._kept.get(team):
            kept.has_news = True

    def listen(self, *, is_listening: bool) -> None:
        """Say whether anything can come in."""
        if is_listening:
            self._listening.set()
        else:
            self._listening.clear()

    async def run(self) -> None:
        """Catch up once and whenever something was missed, until cancelled."""
        for bot in await self._teams() or []:
            await self._arrive(bot)
        await self._listening.wait()
        bots = await self._teams() or []
        self._first = {bot.team for bot in bots}
        self._progress.expect(*(_workspace(bot.team) for bot in bots))
        self._progress.knows_all()
        self._check()
        async with asyncio.TaskGroup() as group:
            while True:
                self._keep_up_with(bots, group)
                await asyncio.sleep(_BEAT_SECONDS)
                bots = await self._teams() or [kept.bot for kept in self._kept.values()]

    def _keep_up_with(self, bots: Sequence[Bot], group: asyncio.TaskGroup) -> None:
        """Begin with workspaces that are new, and leave those that are gone."""
        for team in self._kept.keys() - {bot.team for bot in bots}:
            gone = self._kept.pop(team)
            if gone.task:
                gone.task.cancel()
            self._first.discard(team)
            self._check()
        for bot in bots:
            if bot.team not in self._kept:
                kept = self._kept[bot.team] = _Kept(bot, self._from.reader)
                kept.task = group.create_task(self._keep_up(kept))

    async def _keep_up(self, kept: _Kept) -> None:
        while True:
            await self._listening.wait()
            kept.behind.clear()
            await self._catch_up(kept)
            self._first.discard(kept.bot.team)
            self._check()
            await self._beat(kept)

    def _check(self) -> None:
        if not self._first:
            self._progress.end()

    async def _beat(self, kept: _Kept) -> None:
        """Move the workspace's cursor until something was missed."""
        moved_at = monotonic()
        while not kept.behind.is_set():
            is_worth_it = kept.has_news and monotonic() - moved_at >= _WORTH_SECONDS
            if is_worth_it and self._listening.is_set() and kept.missed.is_whole:
                kept.has_news, moved_at = False, monotonic()
                now = parse.microseconds(self._clock())
                await self._progress.advance(_workspace(kept.bot.team), now)
            try:
                async with asyncio.timeout(_BEAT_SECONDS):
                    await kept.behind.wait()
            except TimeoutError:
                continue

    async def _teams(self) -> list[Bot] | None:
        return await ask_database(self._from.teams)

    async def _arrive(self, bot: Bot) -> Mapping[str, int]:
        """The workspace's cursors. At the very first start, before anything can come in, they
        are set: what was said until now is nobody's question, and what is said from now on is.
        """
        address, now = _workspace(bot.team), parse.microseconds(self._clock())
        known = await ask_database(lambda: self._from.cursors.below(address)) or {}
        if address.key in known:
            return known
        await self._progress.advance(address.below(_FIRST), now)
        await self._progress.advance(address, now)
        return {address.below(_FIRST).key: now, address.key: now}

    async def _catch_up(self, kept: _Kept) -> None:
        """Hear what was missed in a workspace."""
        began_at = self._clock()
        address = _workspace(kept.bot.team)
        known = await self._arrive(kept.bot)
        kept.missed.is_whole = True
        places = await kept.missed.places()
        self._progress.expect(*places.channels)
        self._progress.has_read(address)
        await self._channels(kept.missed, places, known, began_at)
        if kept.missed.is_whole:
            await self._progress.advance(address, parse.microseconds(began_at))

    async def _channels(
        self, missed: Missed, places: Places, known: Mapping[str, int], began_at: datetime
    ) -> None:
        team = missed.bot.team
        threads = await self._threads(team, began_at)
        waiting = await self._waiting.keys(team, places)
        first = known.get(_workspace(team).below(_FIRST).key, 0)
        oldest = max(first, parse.microseconds(began_at - self._most))
        at_once = asyncio.Semaphore(_AT_ONCE)

        def gap_at(address: Address) -> _Gap:
            heard_up_to = max(known[_workspace(team).key], known.get(address.key, 0))
            return _Gap(
                address=address,
                is_shared=address.parts[1] in places.shared,
                start=max(heard_up_to - _OVERLAP, oldest),
                is_long=parse.microseconds(began_at) - heard_up_to > _OVERLAP,
            )

        async def read(gap: _Gap) -> int:
            channel, said, news = gap.address.parts[1], list[object](), 0
            async with at_once:
                if self._most:
                    in_these = threads.get(channel, [])
                    said = await missed.said(channel, in_these, gap.start, looks_back=gap.is_long)
                    news = await self._hear_all(missed, gap, said)
            await self._waiting.look(missed, gap.address, waiting.get(channel, ()), said)
            if news and missed.is_whole:
                await self._progress.advance(gap.address, parse.microseconds(began_at))
            return news

        in_order = sorted(places.channels, key=_newest_first(await self._busy(team, began_at)))
        news = await self._progress.read(map(gap_at, in_order), read)
        log.info("caught up", extra={"team": team, "messages": news})

    async def _threads(self, team: str, now: datetime) -> Threads:
        """The threads in which somebody wrote lately, by channel."""
        found = await ask_database(
            lambda: self._from.cursors.threads(
                _workspace(team), since=now - _THREADS_OF, limit=_MOST_THREADS
            )
        )
        threads: dict[str, list[str]] = defaultdict(list)
        for address, thread in found or []:
            channel = address.parts[1]
            if thread not in threads[channel] and parse.position(thread):
                threads[channel].append(thread)
        return threads

    async def _busy(self, team: str, now: datetime) -> Sequence[str]:
        """The channels in which somebody asked lately, newest first."""
        found = await ask_database(
            lambda: self._from.cursors.places(
                _workspace(team), since=now - _THREADS_OF, limit=_MOST_THREADS
            )
        )
        return list(dict.fromkeys(place.parts[1] for place in found or []))

    async def _hear_all(self, missed: Missed, gap: _Gap, said: Sequence[object]) -> int:
        """Hear what was said there since; returns how much of it was new."""
        heard = [await self._read(missed, gap, raw) for raw in said]
        since = {each.key: each for each in heard if each and each.position > gap.start}
        in_order = sorted(since.values(), key=lambda message: message.position)
        return sum([await self._hear(each) for each in in_order])

    async def _read(self, missed: Missed, gap: _Gap, raw: object) -> PlatformMessage | None:
        own = self._from.own()
        user = missed.bot.user
        said = parse.message(raw, gap.address, user, own, is_shared=gap.is_shared)
        if said is None:
            return None
        return parse.named(said, await self._from.people.names(missed.bot.team, said.people))

    async def _hear(self, heard: PlatformMessage) -> bool:
        return bool(await insist(lambda: self._store(heard)))

    async def _store(self, heard: PlatformMessage) -> bool:
        """Store a message; returns whether it is new and will be answered."""
        accepted = None
        with storable(heard.key):
            accepted = await self._heard(heard)
        return accepted is not None and accepted.is_new

    async def _heard(self, heard: PlatformMessage) -> Accepted | None:
        if await self._from.words.obeyed(heard):
            return None
        return await hear(self._from.reception, self._from.refusals, heard)


def _newest_first(busy: Sequence[str]) -> Callable[[Address], tuple[int, bool]]:
    """Where somebody asked lately, then direct messages, then the other channels."""
    order = {channel: number for number, channel in enumerate(busy)}

    def urgency(place: Address) -> tuple[int, bool]:
        channel = place.parts[1]
        return order.get(channel, len(order)), not channel.startswith("D")

    return urgency


def _workspace(team: str) -> Address:
    return Address(platform="slack", parts=(team,))
