"""Looks for what was posted, by the key that it carries."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bots.slack.blocks import growing_key
from bots.slack.client import SlackClient
from bots.slack.failures import SlackRefused
from bots.slack.posted import Identity, Page, Posted, identity, page

_PAGE = 200  # messages; Slack's advice, of up to 999


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
        me = await self._identity(sought.team)
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
                    limit=_PAGE,
                    cursor=cursor,
                    include_all_metadata=True,
                )
            return await web.conversations_replies(
                channel=sought.channel,
                ts=thread,
                oldest=sought.oldest,
                limit=_PAGE,
                cursor=cursor,
                include_all_metadata=True,
            )

        method = "conversations.history" if thread is None else "conversations.replies"
        return page(await self._client.read(sought.team, method, read))

    async def _identity(self, team: str) -> Identity:
        if team not in self._identities:
            response = await self._client.read(team, "auth.test", AsyncWebClient.auth_test)
            self._identities[team] = identity(response)
        return self._identities[team]
