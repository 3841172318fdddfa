"""What Slack is asked: who people are, where the bot is, what was said and posted there."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bots.slack import fields, parse
from bots.slack.blocks import growing_key
from bots.slack.client import SlackClient
from bots.slack.failures import SlackRefused
from bots.slack.posted import Identity, Page, Posted, identity, page
from core.address import Address
from core.text import cleaned

log = logging.getLogger(__name__)

_PAGE = 200
_MOST_PAGES = 50
_LONGEST_NAME = 100
_PUBLIC = "chat:write.public"
_ALL_TYPES = "public_channel,private_channel,im,mpim"

PageCall = Callable[[AsyncWebClient, str], Awaitable[AsyncSlackResponse]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A person of a workspace."""

    name: str
    is_admin: bool
    is_guest: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """A channel with those who can read it, and whether the bot may speak there."""

    place: Address
    may_speak: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where the bot is in a workspace; by their ids those channels where other ones are, too."""

    channels: list[Address]
    shared: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Bot:
    """Who the bot is in a workspace."""

    team: str
    user: str
    bot: str = ""


class Reader:
    """Every call may raise Transient, SlackRefused or ConfigMistake; nothing is changed."""

    def __init__(self, client: SlackClient) -> None:
        self._client = client

    async def person(self, team: str, user: str) -> Person:
        """Who somebody is."""
        answer = await self._client.read(team, "users.info", lambda web: web.users_info(user=user))
        found = fields.at(answer.data, "user")
        names = ("profile", "display_name"), ("profile", "real_name"), ("real_name",), ("name",)
        named = (cleaned(fields.text_at(found, *path))[:_LONGEST_NAME] for path in names)
        roles = ("is_admin", "is_owner", "is_primary_owner")
        limits = ("is_restricted", "is_ultra_restricted", "is_stranger")
        return Person(
            name=next((name for name in named if name), user),
            is_admin=any(fields.at(found, role) is True for role in roles),
            is_guest=any(fields.at(found, limit) is True for limit in limits),
        )

    async def group(self, team: str, group: str) -> list[str]:
        """The people of a user group."""
        answer = await self._client.read(
            team, "usergroups.users.list", lambda web: web.usergroups_users_list(usergroup=group)
        )
        found = fields.items_at(answer.data, "users")
        return [user for user in found if isinstance(user, str)]

    async def creator(self, team: str, channel: str) -> str:
        """Who made the channel."""
        answer = await self._client.read(
            team, "conversations.info", lambda web: web.conversations_info(channel=channel)
        )
        return fields.id_at(answer.data, "channel", "creator")

    async def channel(self, team: str, channel: str) -> Channel:
        """A channel; the bot may speak where it is, or in all that are public."""
        place = Address(platform="slack", parts=(team, channel))
        try:
            answer = await self._client.read(
                team, "conversations.info", lambda web: web.conversations_info(channel=channel)
            )
        except SlackRefused:
            return Channel(place=place, may_speak=False)
        found = fields.at(answer.data, "channel")
        is_in = fields.at(found, "is_member") is True or fields.at(found, "is_im") is True
        scopes = str(answer.headers.get("x-oauth-scopes", _PUBLIC)).split(",")
        may_speak = is_in or _PUBLIC in {scope.strip() for scope in scopes}
        return Channel(place=parse.channel(found, team) or place, may_speak=may_speak)

    async def channels(self, team: str, types: str, *, user: str | None) -> list[Address]:
        """Where the bot is, and this person if one is given."""
        found = await self._conversations(team, types, user)
        return [channel for raw in found if (channel := parse.channel(raw, team))]

    async def places(self, team: str) -> Places:
        """Where the bot is."""
        found = await self._conversations(team, _ALL_TYPES, None)
        channels = [(raw, channel) for raw in found if (channel := parse.channel(raw, team))]
        return Places(
            channels=[channel for _, channel in channels],
            shared=frozenset(channel.parts[1] for raw, channel in channels if parse.is_shared(raw)),
        )

    async def _conversations(self, team: str, types: str, user: str | None) -> list[object]:
        def page(web: AsyncWebClient, cursor: str) -> Awaitable[AsyncSlackResponse]:
            return web.users_conversations(
                types=types, exclude_archived=True, limit=_PAGE, cursor=cursor, user=user
            )

        return await self._pages(team, "users.conversations", page, "channels")

    async def history(self, team: str, channel: str, oldest: str) -> list[object]:
        """What was said in a channel after a ts, replies in threads not included."""

        def page(web: AsyncWebClient, cursor: str) -> Awaitable[AsyncSlackResponse]:
            return web.conversations_history(
                channel=channel, oldest=oldest, limit=_PAGE, cursor=cursor
            )

        return await self._pages(team, "conversations.history", page, "messages")

    async def backwards(self, team: str, channel: str, latest: str, oldest: str) -> list[object]:
        """The newest messages from one ts back to another, both included, as many as one call has.

        Replies in threads are not among them; each message says when its newest reply came.
        """

        def page(web: AsyncWebClient, _: str) -> Awaitable[AsyncSlackResponse]:
            return web.conversations_history(
                channel=channel, latest=latest, oldest=oldest, inclusive=True, limit=_PAGE
            )

        answer = await self._page(team, "conversations.history", page, "")
        return fields.items_at(answer, "messages")

    async def message(self, team: str, channel: str, ts: str) -> list[object]:
        """The message with this ts, perhaps with the first of its thread; none if it is gone.

        Of one that had replies a tombstone is left.
        """

        def page(web: AsyncWebClient, _: str) -> Awaitable[AsyncSlackResponse]:
            return web.conversations_replies(
                channel=channel, ts=ts, latest=ts, oldest=ts, inclusive=True
            )

        try:
            answer = await self._page(team, "conversations.replies", page, "")
        except SlackRefused as refused:
            if refused.code != "thread_not_found":
                raise
            return []
        return fields.items_at(answer, "messages")

    async def replies(self, team: str, channel: str, thread: str, oldest: str) -> list[object]:
        """What was said in a thread after a ts; its first message may be among it."""

        def page(web: AsyncWebClient, cursor: str) -> Awaitable[AsyncSlackResponse]:
            return web.conversations_replies(
                channel=channel, ts=thread, oldest=oldest, limit=_PAGE, cursor=cursor
            )

        return await self._pages(team, "conversations.replies", page, "messages")

    async def _pages(self, team: str, method: str, page: PageCall, name: str) -> list[object]:
        found: list[object] = []
        cursor = ""
        for _ in range(_MOST_PAGES):
            answer = await self._page(team, method, page, cursor)
            found += fields.items_at(answer, name)
            cursor = fields.text_at(answer, "response_metadata", "next_cursor")
            if not cursor:
                return found
        log.warning("there is more than is read", extra={"team": team, "method": method})
        return found

    async def _page(self, team: str, method: str, page: PageCall, cursor: str) -> object:
        answer = await self._client.read(team, method, lambda web: page(web, cursor))
        body: object = answer.data
        return body


_HISTORY_PAGE = 200  # messages; Slack's advice, of up to 999


@dataclass(frozen=True, slots=True, kw_only=True)
class Sought:
    """A message of ours with this key, or a file of ours with this name.

    `thread` is None for one that stands in the channel itself; `oldest` is a Slack timestamp.
    """

    team: str
    channel: str
    thread: str | None
    key: str
    file: str | None
    oldest: str

    def id_in(self, posted: Posted) -> str | None:
        """The id of the message, or of the file, if it is this one."""
        file = next((each.id for each in posted.files if each.name == self.file), None)
        if self.file and file:
            return file
        return posted.ts if self.key in (posted.key, growing_key(posted.blocks)) else None


class Readback:
    """Reads threads and channels. Only the bot's own messages count."""

    def __init__(self, client: SlackClient) -> None:
        self._client = client
        self._identities: dict[str, Identity] = {}

    async def find(self, sought: Sought) -> str | None:
        """The id of what is sought, if it is there.

        What answers a thread whose beginning was deleted stands in the channel.
        """
        if sought.thread is None:
            return await self._find(sought, None)
        try:
            return await self._find(sought, sought.thread)
        except SlackRefused as refused:
            if refused.code != "thread_not_found":
                raise
            return await self._find(sought, None)

    async def _find(self, sought: Sought, thread: str | None) -> str | None:
        me = await self.identity(sought.team)
        async for posted in self._posts(sought, thread):
            is_ours = posted.bot_id == me.bot_id or posted.user == me.user_id
            if is_ours and (found := sought.id_in(posted)):
                return found
        return None

    async def _posts(self, sought: Sought, thread: str | None) -> AsyncIterator[Posted]:
        cursor: str | None = None
        while True:
            answer = await self._page(sought, thread, cursor)
            for posted in answer.readable():
                yield posted
            if not answer.cursor:
                return
            cursor = answer.cursor

    async def _page(self, sought: Sought, thread: str | None, cursor: str | None) -> Page:
        async def read(web: AsyncWebClient) -> AsyncSlackResponse:
            if thread is None:
                return await web.conversations_history(
                    channel=sought.channel,
                    oldest=sought.oldest,
                    limit=_HISTORY_PAGE,
                    cursor=cursor,
                    include_all_metadata=True,
                )
            return await web.conversations_replies(
                channel=sought.channel,
                ts=thread,
                oldest=sought.oldest,
                limit=_HISTORY_PAGE,
                cursor=cursor,
                include_all_metadata=True,
            )

        method = "conversations.history" if thread is None else "conversations.replies"
        return page(await self._client.read(sought.team, method, read))

    async def identity(self, team: str) -> Identity:
        """Who the bot is in a workspace; asked once."""
        if team not in self._identities:
            response = await self._client.read(team, "auth.test", AsyncWebClient.auth_test)
            self._identities[team] = identity(response)
        return self._identities[team]
