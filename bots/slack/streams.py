"""Slack's native streams: words as they come, in threads, until an edit says the whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from slack_sdk.models.messages.chunk import BlocksChunk, Chunk, MarkdownTextChunk
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bots.slack import blocks
from bots.slack.client import SlackClient
from bots.slack.failures import NotDone, SlackRefused
from bots.slack.format import shown
from bots.slack.messages import Persona
from bots.slack.posted import receipt
from core.clock import monotonic
from core.errors import Transient
from core.messaging.messages import Outgoing

_LONGEST = 240.0  # seconds; Slack ends a stream about 300 s after its start, whatever comes
_DEAD = 400.0  # seconds after its start that a stream has ended for certain
_INTERVAL = 0.8  # seconds between two appends in a workspace: 75 a minute of the 100 it takes
_START, _APPEND, _STOP = "chat.startStream", "chat.appendStream", "chat.stopStream"


@dataclass(slots=True, kw_only=True)
class _Stream:
    team: str
    text: str
    began_at: float
    appended_at: float


class Streams:
    """What this process streams. A stream that another one left open is ended before an edit.

    Metadata can be set only at a stream's end: until then its Stop button carries the key.
    """

    def __init__(
        self,
        client: SlackClient,
        persona_of: Callable[[str], Persona],
        *,
        longest: float = _LONGEST,
    ) -> None:
        self._client = client
        self._persona_of = persona_of
        self._longest = longest
        self._open: dict[str, _Stream] = {}
        self._beginning = Counter[str]()

    def can_begin(self, outgoing: Outgoing) -> bool:
        """Whether the answer can be streamed, and its stream be ended without waiting."""
        team, channel = outgoing.address.parts[:2]
        is_for_one = channel.startswith("D") or outgoing.asked_by is not None
        rates = self._client.rates
        return bool(
            outgoing.reply_to
            and is_for_one
            and rates.has_room(team, _START, self._beginning[team] + 1)
            and rates.has_room(team, _STOP, self._count(team) + self._beginning[team] + 1)
        )

    def is_open(self, key: str) -> bool:
        """Whether this process streams the answer with this key."""
        return key in self._open

    def is_due(self, outgoing: Outgoing) -> bool:
        """Whether this text of an open stream is news, and may be shown now."""
        stream = self._open[outgoing.key]
        waited = monotonic() - stream.appended_at
        return (
            shown(outgoing.text) != stream.text
            and waited >= _INTERVAL * self._count(stream.team)
            and self._client.rates.has_room(stream.team, _APPEND, 1)
        )

    async def begin(self, outgoing: Outgoing) -> str:
        """A new message that grows by `grow`; returns its ts."""
        team, channel, text = *outgoing.address.parts[:2], shown(outgoing.text)
        persona = self._persona_of(outgoing.agent)
        chunks: list[Chunk] = [
            MarkdownTextChunk(text=text),
            BlocksChunk(blocks=[blocks.controls(outgoing)]),
        ]

        async def start(web: AsyncWebClient) -> AsyncSlackResponse:
            return await web.chat_startStream(
                channel=channel,
                thread_ts=str(outgoing.reply_to),
                recipient_team_id=team,
                recipient_user_id=outgoing.asked_by,
                chunks=chunks,
                username=persona.name,
                icon_emoji=persona.emoji,
                icon_url=persona.picture,
            )

        self._beginning[team] += 1
        try:
            answer = await self._client.write(team, _START, start)
        finally:
            self._beginning[team] -= 1
        now = monotonic()
        self._open[outgoing.key] = _Stream(team=team, text=text, began_at=now, appended_at=now)
        return receipt(answer).ts

    async def grow(self, ts: str, outgoing: Outgoing) -> bool:
        """Append what is new; False where an edit has to say it, for which the stream is ended."""
        stream = self._open.get(outgoing.key)
        if stream is None:
            return False
        text = shown(outgoing.text)
        is_young = monotonic() - stream.began_at < self._longest
        is_growth = is_young and not outgoing.is_final and text.startswith(stream.text)
        if is_growth and await self._append(ts, outgoing, stream, text):
            return True
        self._open.pop(outgoing.key, None)
        await self.end(ts, outgoing)
        return False

    async def end(self, ts: str, outgoing: Outgoing) -> None:
        """End the stream, whichever process began it; one that has ended is no mistake."""
        team, channel = outgoing.address.parts[:2]
        try:
            await self._client.write(
                team, _STOP, lambda web: web.chat_stopStream(channel=channel, ts=ts)
            )
        except SlackRefused:  # ended by Slack or a person, or gone; the edit finds out
            return

    async def _append(self, ts: str, outgoing: Outgoing, stream: _Stream, text: str) -> bool:
        """What may have arrived is not appended again: an edit puts it right.

        In the mode in which it began: Slack refuses `markdown_text` after chunks.
        """
        channel, news = outgoing.address.parts[1], MarkdownTextChunk(text=text[len(stream.text) :])
        try:
            await self._client.write(
                stream.team,
                _APPEND,
                lambda web: web.chat_appendStream(channel=channel, ts=ts, chunks=[news]),
            )
        except SlackRefused:
            return False
        except NotDone:
            raise
        except Transient:
            self._open.pop(outgoing.key, None)
            raise
        stream.text, stream.appended_at = text, monotonic()
        return True

    def _count(self, team: str) -> int:
        """What was never ended here, because its turn went on elsewhere, Slack has ended."""
        now = monotonic()
        for key in [key for key, each in self._open.items() if now - each.began_at > _DEAD]:
            del self._open[key]
        return sum(stream.team == team for stream in self._open.values())
