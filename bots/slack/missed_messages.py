"""What was said in a workspace while nobody listened, asked of Slack at a pace of its own."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from aiolimiter import AsyncLimiter

from bots.hearing import insist
from bots.slack import fields, parse
from bots.slack.reader import Bot, Places, Reader

T = TypeVar("T")

_BURST, _BURST_SECONDS = 20, 40.0  # 30 calls of a method a minute leave room for the answers' own


class Missed:
    """Each call is made until it works; one that Slack will not have finds nothing.

    `is_whole` is False once something could not be asked that has to be asked again later.
    """

    def __init__(self, bot: Bot, reader: Reader) -> None:
        self.bot = bot
        self.is_whole = True
        self._reader = reader
        self._pace = defaultdict[str, AsyncLimiter](lambda: AsyncLimiter(_BURST, _BURST_SECONDS))

    async def places(self) -> Places:
        """Where the bot is."""
        found = await self._ask("channels", lambda: self._reader.places(self.bot.team))
        return found or Places(channels=[])

    async def message(self, channel: str, ts: str) -> list[object] | None:
        """As `Reader.message`; None where Slack does not tell."""
        team = self.bot.team
        return await self._ask("replies", lambda: self._reader.message(team, channel, ts))

    async def said(
        self, channel: str, threads: Sequence[str], start: int, *, looks_back: bool
    ) -> list[object]:
        """What was said in a channel after this moment, also in these threads of it.

        Who `looks_back` finds it in others, too, that begin within a page before that moment.
        """
        team, oldest = self.bot.team, parse.ts_of(start)
        said = await self._ask("history", lambda: self._reader.history(team, channel, oldest))
        if said is None:
            return []
        told = {fields.text_at(raw, "ts") for raw in said}
        answered = {root for raw in said if (root := _thread_with_news(raw, start))}
        left = [thread for thread in threads if thread not in told]
        answered |= await self._answered(channel, left, start, looks_back=looks_back)
        for thread in sorted(answered):
            said += await self._replies(channel, thread, oldest)
        return said

    async def _answered(
        self, channel: str, threads: Sequence[str], start: int, *, looks_back: bool
    ) -> set[str]:
        """Those of these threads in which something was said since, and others of their pages.

        A page of the channel tells of all threads that begin in it: never more calls than to ask
        for each thread, and mostly far fewer.
        """
        found, left = set[str](), sorted(threads, key=parse.position, reverse=True)
        latest = parse.ts_of(start) if looks_back else ""
        while latest or left:
            page = await self._backwards(channel, latest or left[0], left[-1] if left else "0")
            latest = ""
            found |= {root for raw in page if (root := _thread_with_news(raw, start))}
            told = {fields.text_at(raw, "ts"): raw for raw in page}
            reached = min(map(parse.position, told), default=0)
            here = [thread for thread in left if parse.position(thread) >= reached]
            found |= {each for each in here if _may_have_news(told.get(each), start)}
            left = left[len(here) :]
        return found

    async def _backwards(self, channel: str, latest: str, oldest: str) -> list[object]:
        team = self.bot.team
        found = await self._ask(
            "history", lambda: self._reader.backwards(team, channel, latest, oldest)
        )
        return found or []

    async def _replies(self, channel: str, thread: str, oldest: str) -> list[object]:
        team = self.bot.team
        found = await self._ask(
            "replies", lambda: self._reader.replies(team, channel, thread, oldest)
        )
        return found or []

    async def _ask(self, method: str, call: Callable[[], Awaitable[T]]) -> T | None:
        await self._pace[method].acquire()
        return await insist(call, self._left_out)

    def _left_out(self) -> None:
        self.is_whole = False


def _thread_with_news(raw: object, start: int) -> str | None:
    """The ts of this message if its thread has a reply after `start`, otherwise None."""
    latest = parse.position(fields.text_at(raw, "latest_reply"))
    return fields.text_at(raw, "ts") if latest > start else None


def _may_have_news(raw: object, start: int) -> bool:
    """Of a thread whose first message is not told, or without its newest reply, nobody knows."""
    newest = fields.text_at(raw, "latest_reply") or parse.ts_of(start + 1)
    return raw is None or parse.position(newest) > start
