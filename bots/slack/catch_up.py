"""Finds what was written while nobody listened, and lets it be answered once, oldest first."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from aiolimiter import AsyncLimiter

from bots.slack import parse
from bots.slack.failures import SlackRefused
from bots.slack.people import People
from bots.slack.reader import Bot, Reader
from bots.slack.refusals import Refusals
from core.address import Address
from core.clock import Clock
from core.errors import ConfigMistake, NotAllowed, Transient, UserMistake
from core.messaging.cursors import Cursors
from core.messaging.intake import Accepted, Reception
from core.messaging.messages import Heard
from core.messaging.storing import NeverStored, storing
from core.turn.backlog import Backlog

log = logging.getLogger(__name__)

T = TypeVar("T")

_FIRST = "first"  # the cursor that says when the bot was here for the first time
_OVERLAP = 600_000_000  # microseconds that are read again: Slack's own retries take six minutes
_THREADS_OF = timedelta(days=7)
_MOST_THREADS = 200
_BEAT_SECONDS = 5.0
_RETRY_SECONDS = 5.0
_AT_ONCE = 4  # channels
_BURST, _BURST_SECONDS = 20, 40.0  # 30 calls a minute, leaving room for the answers' own

Teams = Callable[[], Awaitable[list[Bot]]]
Threads = Mapping[str, list[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """What it is done with. `teams` are all workspaces."""

    teams: Teams
    reader: Reader
    people: People
    reception: Reception
    cursors: Cursors
    refusals: Refusals


class CatchUp:
    """Works in the background; what comes in meanwhile is never kept waiting.

    A workspace's cursor says up to when everything was heard there. It moves while somebody
    listens and nothing is being caught up, so that it still says so after a crash. A channel's
    cursor says how far catching up has come, so that it goes on from there.
    """

    def __init__(self, sources: Sources, clock: Clock, *, hours: float, backlog: Backlog) -> None:
        self._from = sources
        self._clock = clock
        self._most = timedelta(hours=hours)
        self._pace = AsyncLimiter(_BURST, _BURST_SECONDS)
        self._listening = asyncio.Event()
        self._behind = asyncio.Event()
        self._is_whole = True
        self._unread: set[str] = set()
        self._backlog = backlog
        backlog.expect("slack")
        self.has_caught_up = asyncio.Event()

    def missed(self) -> None:
        """Something may have been missed until now."""
        self._behind.set()

    def listen(self, *, is_listening: bool) -> None:
        """Say whether anything can come in."""
        if is_listening:
            self._listening.set()
        else:
            self._listening.clear()

    async def run(self) -> None:
        """Catch up once and whenever something was missed, until cancelled."""
        for bot in await self._teams():
            await self._arrive(bot)
        while True:
            await self._listening.wait()
            self._behind.clear()
            bots = await self._teams()
            if not self.has_caught_up.is_set():
                self._backlog.expect(*(_workspace(bot.team).key for bot in bots))
                self._backlog.knows_all("slack")
            for bot in bots:
                await self._workspace(bot)
            self.has_caught_up.set()
            self._backlog.is_whole("slack")
            await self._beat()

    async def _teams(self) -> list[Bot]:
        return await self._insist(lambda: self._stored(self._from.teams())) or []

    async def _beat(self) -> None:
        """Move the workspaces' cursors until something was missed."""
        while not self._behind.is_set():
            if self._listening.is_set():
                heard_up_to = _micro(self._clock())
                for bot in await self._teams():
                    if bot.team not in self._unread:
                        await self._advance(_workspace(bot.team), heard_up_to)
            try:
                async with asyncio.timeout(_BEAT_SECONDS):
                    await self._behind.wait()
            except TimeoutError:
                continue

    async def _arrive(self, bot: Bot) -> Mapping[str, int]:
        """The workspace's cursors. At the very first start, before anything can come in, they
        are set: what was said until now is nobody's question, and what is said from now on is.
        """
        address, now = _workspace(bot.team), _micro(self._clock())
        known = await self._insist(lambda: self._stored(self._from.cursors.below(address))) or {}
        if address.key in known:
            return known
        await self._advance(address.below(_FIRST), now)
        await self._advance(address, now)
        return {address.below(_FIRST).key: now, address.key: now}

    async def _workspace(self, bot: Bot) -> None:
        """What was missed there."""
        began_at = self._clock()
        address = _workspace(bot.team)
        known = await self._arrive(bot)
        self._is_whole = True
        if self._most:
            await self._channels(bot, known, known[address.key], began_at)
        if self._is_whole:
            await self._advance(address, _micro(began_at))
            self._unread.discard(bot.team)
        else:
            self._unread.add(bot.team)

    async def _channels(
        self, bot: Bot, known: Mapping[str, int], heard_up_to: int, began_at: datetime
    ) -> None:
        threads = await self._threads(bot.team, began_at)
        first = known.get(_workspace(bot.team).below(_FIRST).key, 0)
        oldest = max(first, _micro(began_at - self._most))
        channels = await self._ask(lambda: self._from.reader.channels(bot.team)) or []
        if not self.has_caught_up.is_set():
            self._backlog.expect(*(channel.key for channel in channels))
            self._backlog.has_read(_workspace(bot.team))
        at_once = asyncio.Semaphore(_AT_ONCE)

        async def catch_up(address: Address) -> int:
            start = max(heard_up_to, known.get(address.key, 0)) - _OVERLAP
            async with at_once:
                news = await self._channel(bot, address, threads, max(start, oldest))
            self._backlog.has_read(address)
            if self._is_whole:
                await self._advance(address, _micro(began_at))
            return news

        async with asyncio.TaskGroup() as group:
            in_order = sorted(channels, key=_most_urgent_first(threads))
            found = [group.create_task(catch_up(channel)) for channel in in_order]
        news = sum(task.result() for task in found)
        log.info("caught up", extra={"team": bot.team, "messages": news})

    async def _threads(self, team: str, now: datetime) -> Threads:
        """The threads in which somebody wrote lately, by channel."""
        found = await self._insist(
            lambda: self._stored(
                self._from.cursors.threads(
                    _workspace(team), since=now - _THREADS_OF, limit=_MOST_THREADS
                )
            )
        )
        threads: dict[str, list[str]] = defaultdict(list)
        for address, thread in found or []:
            channel = address.parts[1]
            if thread not in threads[channel] and parse.position(thread):
                threads[channel].append(thread)
        return threads

    async def _channel(self, bot: Bot, place: Address, threads: Threads, start: int) -> int:
        """Hear what was said there since; returns how much of it was new."""
        oldest, reader, channel = _ts(start), self._from.reader, place.parts[1]
        said = await self._ask(lambda: reader.history(bot.team, channel, oldest)) or []
        answered = {ts for raw in said if (ts := _thread_with_news(raw, start))}
        for thread in sorted(answered | {t for t in threads.get(channel, []) if t not in answered}):
            said += await self._replies(bot, channel, thread, oldest)
        heard = [await self._read(bot, place, raw) for raw in said]
        since = {each.key: each for each in heard if each and each.position > start}
        in_order = sorted(since.values(), key=lambda message: message.position)
        return sum([await self._hear(each) for each in in_order])

    async def _replies(self, bot: Bot, channel: str, thread: str, oldest: str) -> list[object]:
        reader = self._from.reader
        found = await self._ask(lambda: reader.replies(bot.team, channel, thread, oldest))
        return found or []

    async def _read(self, bot: Bot, place: Address, raw: object) -> Heard | None:
        names = await self._from.people.names(bot.team, parse.people(raw))
        return parse.message(raw, place, bot.user, names)

    async def _hear(self, heard: Heard) -> bool:
        try:
            accepted = await self._insist(lambda: self._store(heard))
        except NotAllowed as refused:
            self._from.refusals.answer(heard, refused)
            return False
        except UserMistake as mistake:
            log.warning("nobody can answer", extra={"key": heard.key, "why": str(mistake)})
            return False
        return bool(accepted and accepted.is_new)

    async def _store(self, heard: Heard) -> Accepted | None:
        """Store a message, or leave it out for good: no other one may wait for it for ever."""
        try:
            return await self._stored(self._from.reception.hear(heard))
        except NeverStored as refused:
            log.warning("message cannot be stored", extra={"key": heard.key, "why": str(refused)})
            return None

    async def _advance(self, address: Address, position: int) -> None:
        await self._insist(lambda: self._stored(self._from.cursors.advance(address, position)))

    async def _stored(self, work: Awaitable[T]) -> T:
        with storing():
            return await work

    async def _ask(self, call: Callable[[], Awaitable[T]]) -> T | None:
        """As `_insist`, a call to Slack: in its turn."""
        await self._pace.acquire()
        return await self._insist(call)

    async def _insist(self, call: Callable[[], Awaitable[T]]) -> T | None:
        """Make the call until it works; None where Slack will not have it."""
        while True:
            try:
                return await call()
            except Transient as later:
                log.warning("catching up is put off", extra={"why": str(later)})
                await asyncio.sleep(later.retry_after or _RETRY_SECONDS)
            except SlackRefused as refused:
                log.warning("cannot catch up", extra={"why": str(refused)})
                return None
            except ConfigMistake as mistake:  # what is missed meanwhile is read when it is mended
                log.warning("cannot catch up", extra={"why": str(mistake)})
                self._is_whole = False
                return None


def _thread_with_news(raw: object, start: int) -> str | None:
    """The ts of a message whose thread has replies since then."""
    latest = parse.position(parse.text_at(raw, "latest_reply"))
    return parse.text_at(raw, "ts") if latest > start else None


def _most_urgent_first(threads: Threads) -> Callable[[Address], tuple[bool, int]]:
    """Direct messages, then the channels with the newest threads."""
    order = {channel: number for number, channel in enumerate(threads)}

    def urgency(place: Address) -> tuple[bool, int]:
        channel = place.parts[1]
        return not channel.startswith("D"), order.get(channel, len(order))

    return urgency


def _workspace(team: str) -> Address:
    return Address(platform="slack", parts=(team,))


def _micro(moment: datetime) -> int:
    return int(moment.timestamp() * 1_000_000)


def _ts(position: int) -> str:
    return f"{position // 1_000_000}.{position % 1_000_000:06d}"
