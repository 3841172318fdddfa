"""What Slack is asked: who people are, where the bot is, and what was said there."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bots.slack import fields, parse
from bots.slack.client import SlackClient
from bots.slack.failures import SlackRefused
from core.address import Address
from core.text import cleaned

_PAGE = 200
_MOST_PAGES = 50
_LONGEST_NAME = 100
_PUBLIC = "chat:write.public"
_ALL_TYPES = "public_channel,private_channel,im,mpim"

Page = Callable[[AsyncWebClient, str], Awaitable[AsyncSlackResponse]]


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
class Bot:
    """Who the bot is in a workspace."""

    team: str
    user: str


class Reader:
    """Every call may raise Transient, SlackRefused or ConfigMistake; nothing is changed."""

    def __init__(self, client: SlackClient) -> None:
        self._client = client

    async def bot(self, team: str) -> Bot:
        """The bot itself."""
        answer = (await self._client.read(team, "auth.test", lambda web: web.auth_test())).data
        return Bot(team=fields.id_at(answer, "team_id"), user=fields.id_at(answer, "user_id"))

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

    async def channels(
        self, team: str, types: str = _ALL_TYPES, *, user: str | None = None
    ) -> list[Address]:
        """Where the bot is, and this person if one is given: channels, groups, direct messages."""

        def page(web: AsyncWebClient, cursor: str) -> Awaitable[AsyncSlackResponse]:
            return web.users_conversations(
                types=types, exclude_archived=True, limit=_PAGE, cursor=cursor, user=user
            )

        found = await self._pages(team, "users.conversations", page, "channels")
        return [channel for raw in found if (channel := parse.channel(raw, team))]

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

    async def replies(self, team: str, channel: str, thread: str, oldest: str) -> list[object]:
        """What was said in a thread after a ts; its first message may be among it."""

        def page(web: AsyncWebClient, cursor: str) -> Awaitable[AsyncSlackResponse]:
            return web.conversations_replies(
                channel=channel, ts=thread, oldest=oldest, limit=_PAGE, cursor=cursor
            )

        return await self._pages(team, "conversations.replies", page, "messages")

    async def _pages(self, team: str, method: str, page: Page, name: str) -> list[object]:
        found: list[object] = []
        cursor = ""
        for _ in range(_MOST_PAGES):
            answer = await self._page(team, method, page, cursor)
            found += fields.items_at(answer, name)
            cursor = fields.text_at(answer, "response_metadata", "next_cursor")
            if not cursor:
                break
        return found

    async def _page(self, team: str, method: str, page: Page, cursor: str) -> object:
        answer = await self._client.read(team, method, lambda web: page(web, cursor))
        body: object = answer.data
        return body
