"""What was said in a thread or channel before somebody asked there, read for whoever is asked."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bots.slack import fields, parse
from bots.slack.client import SlackClient
from bots.slack.contents import markup_of
from bots.slack.markup import plain
from bots.slack.people import People
from bots.slack.posted import Identity
from bots.slack.reader import Reader
from core.address import Address
from core.messaging.messages import Author, Quote

_PAGE = 200  # messages
_ENOUGH = 30  # messages of a thread that is longer than a page
_WINDOWS = tuple(3_600 * 4**number for number in range(7))  # seconds before the question: 170 days
_SPARE = 3  # calls, of ten at once
_MOST_PAGES = 5  # more of the window in which there suddenly are more than a page


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
            and not _is_by(me, raw)
            and (thread or parse.is_said_to_others(raw, me.user_id))
        ]
        ids = set[str]().union(*(parse.people(raw) for raw in found))
        names = await self._people.names(team, ids)
        quotes = (_quote(raw, names) for raw in found)
        return [quote for quote in quotes if quote.text]

    async def _newest(self, thread: Address, after: int, before: int) -> Sequence[object]:
        """All of a page's length; of more, what was said in the shortest time that has enough."""
        start, (page, rest) = after, await self._page(thread, after, before)
        for seconds in _WINDOWS if rest else ():
            start = max(after, before - seconds * 1_000_000)
            page, rest = await self._page(thread, start, before)
            if rest or len(page) >= _ENOUGH:
                break
        for _ in range(_MOST_PAGES):
            if not rest:
                break
            more, rest = await self._page(thread, start, before, rest)
            page = [*page, *more][-_PAGE:]
        return page

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
        self, thread: Address, after: int, before: int, cursor: str = ""
    ) -> tuple[list[object], str]:
        """The first of what was said in between, and where the rest of it begins."""
        team, channel, root = thread.parts

        async def ask(web: AsyncWebClient) -> AsyncSlackResponse:
            return await web.conversations_replies(
                channel=channel,
                ts=root,
                oldest=parse.ts_of(after),
                latest=parse.ts_of(before),
                limit=_PAGE,
                cursor=cursor,
            )

        answer = (await self._client.read(team, "conversations.replies", ask)).data
        rest = fields.text_at(answer, "response_metadata", "next_cursor")
        return fields.items_at(answer, "messages"), rest


def _is_by(me: Identity, raw: object) -> bool:
    return fields.id_at(raw, "bot_id") == me.bot_id or fields.id_at(raw, "user") == me.user_id


def _quote(raw: object, names: dict[str, str]) -> Quote:
    user = fields.id_at(raw, "user")
    app = fields.text_at(raw, "bot_profile", "name") or fields.text_at(raw, "username")
    name = names.get(user) or app or user or "somebody"
    files = [fields.text_at(file, "name") for file in fields.items_at(raw, "files")]
    named = [f"[file: {name}]" for name in files if name]
    text = "\n".join(filter(None, [plain(markup_of(raw), names), *named]))
    return Quote(author=Author(id=user, name=name), text=text)
