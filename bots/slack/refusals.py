"""Tells somebody on Slack something alone; that they may not ask, not again and again."""

from __future__ import annotations

from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bots.background import Background
from bots.slack.client import SlackClient
from bots.slack.markup import escaped
from core.address import Address
from core.errors import NotAllowed
from core.messaging.access import Gate
from core.messaging.messages import Author, PlatformMessage


class Whispers:
    """Tells somebody something beside what they wrote, soon; what a crash cuts off is not said."""

    def __init__(self, client: SlackClient, background: Background) -> None:
        self._client = client
        self._background = background

    def answer(self, heard: PlatformMessage, words: str) -> None:
        """Say it, in Slack's markup, where the message stands."""
        self._background.add(
            "whisper", lambda: self.tell(heard.author, heard.place, heard.thread, words)
        )

    async def tell(self, author: Author, place: Address, thread: str | None, text: str) -> None:
        """Say it now, to them alone where others can read."""
        team, channel = place.parts[:2]

        async def whisper(web: AsyncWebClient) -> AsyncSlackResponse:
            return await web.chat_postEphemeral(
                channel=channel, user=author.id, text=text, thread_ts=thread
            )

        async def post(web: AsyncWebClient) -> AsyncSlackResponse:
            return await web.chat_postMessage(channel=channel, text=text, thread_ts=thread)

        if channel.startswith("D"):  # where nobody else reads it, it may stay
            await self._client.write(team, "chat.postMessage", post, channel=channel)
        else:
            await self._client.write(team, "chat.postEphemeral", whisper, channel=channel)


class Refusals:
    """What a crash cuts off is not said: whoever asks once more is told in an hour."""

    def __init__(self, whispers: Whispers, gate: Gate, background: Background) -> None:
        self._whispers = whispers
        self._gate = gate
        self._background = background

    def answer(self, heard: PlatformMessage, refused: NotAllowed) -> None:
        """Say it where the message stands, to a person."""
        if heard.is_by_app:
            return
        self.tell(heard.author, heard.place, heard.thread, refused)

    def tell(self, author: Author, place: Address, thread: str | None, refused: NotAllowed) -> None:
        """Say it in a channel, or in a thread of it, soon."""
        text = escaped(str(refused))
        self._background.add("refusal", lambda: self._tell(author, place, thread, text))

    async def _tell(self, author: Author, place: Address, thread: str | None, text: str) -> None:
        if await self._gate.may_be_told(author, place):
            await self._whispers.tell(author, place, thread, text)
