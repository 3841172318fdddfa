"""What was said in a thread or channel before somebody asked there, read for whoever is asked."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from math import isqrt

from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bots.slack import fields, parse
from bots.slack.client import SlackClient
from bots.slack.people import People
from bots.slack.posted import Identity
from bots.slack.quotes import quote
from bots.slack.reader import Reader
from core.address import Address
from core.messaging.messages import Quote

_PAGE = 200  # messages
_ENOUGH = 30  # messages of a thread that is longer than a page
_SHORTEST = 1_000_000  # microseconds before a question, in which nobody says a page
_MOST_CALLS = 8
_SPARE = 3  # calls, of ten at once


class Earlier:
    """Slack tells of a thread from its beginning on: of a long one the newest is asked for."""

    def __init__(self, client: SlackClient, identity: Callable[[str], Awaitable[Identity]]) -> None:
        """`identity` says who the bot is in a workspace."""
        self._client = client
        self._identity = identity
        self._people = People(Reader(client))

    async def said(self, at: Address, *, after: int, before: int) -> list[Quote]:
        """Oldest first, a page at the most, without what the bot has said.

        In a channel, without what was said to the bot: each of these has a thread of its own.
        Raises Transient, SlackRefused or ConfigMistake.
        """
        team, channel, *thread = at.parts
        if channel.startswith("D") and not thread:
            return []
        me = await self._identity(team)
        raws = await (self._newest if thread else self._in_channel)(at, after, before)
        found = [
            raw
            for raw in raws
            if after < parse.position(fields.text_at(raw, "ts")) < before
            and parse.is_spoken(raw)
            and not _is_by(me, raw)
            and (thread or not parse.is_said_to(raw, me.user_id))
        ]
        ids = set[str]().union(*(parse.people(raw) for raw in found))
        names = await self._people.names(team, ids)
        return [quote(raw, names) for raw in found]

    async def _newest(self, thread: Address, after: int, before: int) -> Sequence[object]:
        """All of a page's length; of more, the newest: what was said in a time that has enough.

        A page begins with the oldest, and nobody tells how many there are: the time before the
        question is halved by its length's order, as threads are as dense as they like to be.
        """
        page, is_whole = await self._page(thread, after, before)
        if is_whole:
            return page
        enough = min(_ENOUGH, len(page) // 2)  # Slack gives some apps short pages
        newest: Sequence[object] = []
        longest, shortest = before - max(after, parse.position(thread.parts[-1])), _SHORTEST
        for _ in range(_MOST_CALLS):
            time = isqrt(longest * shortest)
            page, is_whole = await self._page(thread, before - time, before)
            if not is_whole:
                longest = time
                continue
            newest, shortest = page, time
            if len(newest) >= enough:
                break
        return newest or page

    async def _in_channel(self, channel: Address, after: int, before: int) -> Sequence[object]:
        """The newest of what was said there, threads left out; nothing where Slack lets few ask.

        An answer can do without it, but not without what tells whether it was posted.
        """
        team, place = channel.parts
        if not self._client.rates.has_room(team, "conversations.history", _SPARE):
            return []

        async def ask(web: AsyncWebClient) -> AsyncSlackResponse:
            return await web.conversations_history(
                channel=place,
                oldest=parse.ts_of(after),
                latest=parse.ts_of(before),
                limit=_ENOUGH,
            )

        answer = (await self._client.read(team, "conversations.history", ask)).data
        return fields.items_at(answer, "messages")[::-1]

    async def _page(
        self, thread: Address, after: int, before: int
    ) -> tuple[Sequence[object], bool]:
        """The first of what was said in between, and whether that is all."""
        team, channel, root = thread.parts

        async def ask(web: AsyncWebClient) -> AsyncSlackResponse:
            return await web.conversations_replies(
                channel=channel,
                ts=root,
                oldest=parse.ts_of(after),
                latest=parse.ts_of(before),
                limit=_PAGE,
            )

        answer = (await self._client.read(team, "conversations.replies", ask)).data
        is_whole = not fields.text_at(answer, "response_metadata", "next_cursor")
        return fields.items_at(answer, "messages"), is_whole


def _is_by(me: Identity, raw: object) -> bool:
    return fields.id_at(raw, "bot_id") == me.bot_id or fields.id_at(raw, "user") == me.user_id
