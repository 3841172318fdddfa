"""The calls that show something in Slack: a message, its edits, its end, a file, a status."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from slack_sdk.models.blocks import Block
from slack_sdk.models.metadata import Metadata
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bots.slack import blocks
from bots.slack.client import SlackClient
from bots.slack.failures import NotDone, SlackRefused
from bots.slack.format import fallback
from bots.slack.posted import EVENT_TYPE, receipt, upload_place
from bots.text_file import TextFile
from core.errors import Transient
from core.messaging.messages import Outgoing

GONE = "message_not_found"
_UNSHOWABLE = {
    *("invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long", "only_one_table_allowed"),
}
_NO_THREAD = {"thread_not_found", "invalid_thread_ts"}
_STATUS = "is thinking…"


class Messages:
    """Each call is made once and raises as `SlackClient` does."""

    def __init__(self, client: SlackClient, persona_of: Callable[[str], Persona]) -> None:
        self._client = client
        self._persona_of = persona_of

    async def post(self, outgoing: Outgoing) -> str:
        """A new message; returns its ts."""
        return await _shown(outgoing, lambda shown: self._post(outgoing, shown))

    async def update(self, ts: str, outgoing: Outgoing) -> None:
        """Other text and other buttons in the message."""
        await _shown(outgoing, lambda shown: self._update(ts, outgoing, shown))

    async def delete(self, ts: str, outgoing: Outgoing) -> None:
        """Take the message away; one that is gone already is no mistake."""
        team, channel = outgoing.address.parts[:2]
        try:
            await self._client.write(
                team, "chat.delete", lambda web: web.chat_delete(channel=channel, ts=ts)
            )
        except SlackRefused as refused:
            if refused.code != GONE:
                raise

    async def share(self, outgoing: Outgoing, file: TextFile) -> str:
        """A new message that is a file; returns the file's id. Only the last call shows it."""
        try:
            file_id = await self._upload(outgoing.address.parts[0], file)
        except Transient as error:
            raise NotDone(str(error), retry_after=error.retry_after) from error
        try:
            await self._share(outgoing, file_id, file.name, outgoing.reply_to)
        except SlackRefused as refused:
            if outgoing.reply_to is None or refused.code not in _NO_THREAD:
                raise
            await self._share(outgoing, file_id, file.name, None)  # as Slack does with a message
        return file_id

    async def status(self, thread: str, outgoing: Outgoing) -> None:
        """Say below the thread that somebody is at work, until the next message there."""
        team, channel = outgoing.address.parts[:2]
        persona = self._persona_of(outgoing.agent)

        async def say(web: AsyncWebClient) -> AsyncSlackResponse:
            return await web.assistant_threads_setStatus(
                channel_id=channel,
                thread_ts=thread,
                status=_STATUS,
                username=persona.name,
                icon_emoji=persona.emoji,
                icon_url=persona.picture,
            )

        await self._client.write(team, "assistant.threads.setStatus", say)

    async def _post(self, outgoing: Outgoing, shown: list[Block]) -> str:
        team, channel = outgoing.address.parts[:2]
        persona = self._persona_of(outgoing.agent)

        async def post(web: AsyncWebClient) -> AsyncSlackResponse:
            return await web.chat_postMessage(
                channel=channel,
                thread_ts=outgoing.reply_to,
                text=fallback(outgoing.text),
                blocks=shown,
                metadata=_metadata(outgoing),
                username=persona.name,
                icon_emoji=persona.emoji,
                icon_url=persona.picture,
                unfurl_links=False,
                unfurl_media=False,
            )

        answer = await self._client.write(team, "chat.postMessage", post, channel=channel)
        return receipt(answer).ts

    async def _update(self, ts: str, outgoing: Outgoing, shown: list[Block]) -> str:
        team, channel = outgoing.address.parts[:2]

        async def update(web: AsyncWebClient) -> AsyncSlackResponse:
            return await web.chat_update(
                channel=channel,
                ts=ts,
                text=fallback(outgoing.text),
                blocks=shown,
                metadata=_metadata(outgoing),
            )

        await self._client.write(team, "chat.update", update)
        return ts

    async def _share(self, outgoing: Outgoing, file_id: str, name: str, thread: str | None) -> None:
        team, channel = outgoing.address.parts[:2]
        await self._client.write(
            team,
            "files.completeUploadExternal",
            lambda web: web.files_completeUploadExternal(
                files=[{"id": file_id, "title": name}], channel_id=channel, thread_ts=thread
            ),
        )

    async def _upload(self, team: str, file: TextFile) -> str:
        answer = await self._client.write(
            team,
            "files.getUploadURLExternal",
            lambda web: web.files_getUploadURLExternal(
                filename=file.name, length=len(file.content)
            ),
        )
        place = upload_place(answer)
        await self._client.upload(place.upload_url, file.content)
        return place.file_id


async def _shown(outgoing: Outgoing, show: Callable[[list[Block]], Awaitable[str]]) -> str:
    """Show it as Markdown; where Slack does not take that, as plain text rather than not at all."""
    try:
        return await show(blocks.answer(outgoing))
    except SlackRefused as refused:
        if refused.code not in _UNSHOWABLE:
            raise
        return await show(blocks.plain(outgoing))


def _metadata(outgoing: Outgoing) -> Metadata:
    """Whoever is in the channel can read it, so that it says nothing."""
    return Metadata(event_type=EVENT_TYPE, event_payload={"key": outgoing.key})


@dataclass(frozen=True, slots=True, kw_only=True)
class Persona:
    """Its name, and an :emoji: or the address of a picture."""

    name: str | None = None
    icon: str | None = None

    @property
    def emoji(self) -> str | None:
        """The icon, if it is an emoji."""
        return self.icon if self.icon and self.icon.startswith(":") else None

    @property
    def picture(self) -> str | None:
        """The icon, if it is the address of a picture."""
        return self.icon if self.icon and not self.emoji else None
