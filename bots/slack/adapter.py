"""The way out to Slack: answers posted once, edited while they grow, found again after a crash."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime, timedelta

from bots.previews import Previews
from bots.slack.client import SlackClient
from bots.slack.earlier import Earlier
from bots.slack.failures import NotDone, SlackRefused
from bots.slack.files import Files
from bots.slack.messages import GONE, Messages, Persona
from bots.slack.reader import Readback, Sought
from bots.slack.streams import Streams
from bots.text_file import TextFile, cut, file_of
from core import clock
from core.address import Address
from core.errors import ConfigMistake
from core.graphemes import shortened
from core.messaging.adapter import Asked, KeptFile, Limits
from core.messaging.messages import Attachment, Outgoing, Quote

_INTERVAL = 1.5  # seconds between two edits in a workspace: 40 a minute of the 50 that Slack takes
log = logging.getLogger(__name__)

_LIMITS = Limits(text_length=11_000, seconds_between_edits=_INTERVAL, takes_files=True)
_STREAMING = "streaming_state_conflict"
_UNEDITABLE = {GONE, "cant_update_message", "edit_window_closed", _STREAMING}
_CUT = "\n\n(The rest does not fit here, and I may not send files. Please tell whoever runs me.)"
_LONGEST_QUOTE = 600  # characters of a question
_OLDEST = timedelta(days=2)  # how far back is looked for what was posted who knows when
_SKEW = timedelta(minutes=5)  # between Slack's clock and ours
_UNTIL_MENDED = 120.0  # seconds between two tries of what the operator has to mend


class SlackAdapter:
    """Adapter, ShowsWork, FetchesFiles, ReadsThreads. Message ids are Slack's `ts`, or a file's id.

    `settle_seconds` is how long a post that broke off may take until it is certain that it
    never appears: what is not found at once is looked for again after them.
    """

    def __init__(
        self,
        client: SlackClient,
        persona_of: Callable[[str], Persona],
        *,
        settle_seconds: float = 5,
        streams: Streams | None = None,
        now: clock.Clock = clock.now,
    ) -> None:
        self._client = client
        self._messages = Messages(client, persona_of)
        self._streams = streams or Streams(client, persona_of)
        self._readback = Readback(client)
        self._files = Files(client)
        self._earlier = Earlier(client, self._readback.identity)
        self._previews = Previews(_INTERVAL)
        self._settle_seconds = settle_seconds
        self._now = now
        self._anew: dict[str, datetime] = {}

    @property
    def limits(self) -> Limits:
        """Slack takes 12,000 characters of Markdown; the rest is for what stands around it."""
        return _LIMITS

    def may_preview(self, outgoing: Outgoing) -> bool:
        """Every answer that grows keeps room for its last edit; the others appear when ended."""
        if self._streams.is_open(outgoing.key):
            return self._streams.is_due(outgoing)
        team = outgoing.address.parts[0]
        calls = self._previews.growing(team) + 2
        return self._previews.is_due(
            team, outgoing.key, outgoing.text
        ) and self._client.rates.has_room(team, "chat.update", calls)

    async def post(self, outgoing: Outgoing) -> str:
        """Post the message, the beginning of a stream, or the file that it is."""
        self._note(outgoing)
        with _mended_later():
            return await self._post(outgoing)

    async def edit(self, message_id: str, outgoing: Outgoing) -> str:
        """Replace text and buttons.

        An ended answer whose message can be edited no more is posted anew, once it is certain
        that the old message is gone.
        """
        self._note(outgoing)
        if file_of(outgoing, _LIMITS):
            return message_id
        try:
            with _mended_later():
                await self._edit(message_id, outgoing)
        except SlackRefused as refused:
            if not outgoing.is_final or refused.code not in _UNEDITABLE:
                raise
            return await self._post_anew(message_id, outgoing, refused.code)
        return message_id

    async def said_in(self, at: Address, *, after: int, before: int) -> list[Quote]:
        """What was said between these positions, as `ReadsThreads` wants it."""
        with _mended_later():
            return await self._earlier.said(at, after=after, before=before)

    async def find(self, outgoing: Outgoing) -> str | None:
        """Read back by the key in the metadata, or by the name of a file."""
        found = await self._look_for(outgoing)
        if found is None and (unsettled := self._unsettled(outgoing)):
            await asyncio.sleep(unsettled)
            found = await self._look_for(outgoing)
        return found

    def quoted(self, asked: Asked) -> str:
        """Slack shows a slash command to who typed it, and to nobody else."""
        if asked.key.split("/")[2:3] != ["cmd"] or asked.reply_to:
            return ""
        question = shortened(" ".join(asked.text.split()), _LONGEST_QUOTE)
        return f"> {asked.author} asked: {question}"

    @property
    def working_seconds(self) -> float:
        """Slack shows a status for two minutes."""
        return 100.0

    async def working(self, outgoing: Outgoing) -> None:
        """Slack shows a status in threads only."""
        if outgoing.reply_to:
            with _mended_later():
                await self._messages.status(outgoing.reply_to, outgoing)

    async def look_up(self, place: Address, attachment: Attachment) -> KeptFile:
        """As the workspace sees it that the message was written in."""
        with _mended_later():
            return await self._files.look_up(place.parts[0], attachment)

    async def _post(self, outgoing: Outgoing) -> str:
        if file := file_of(outgoing, _LIMITS):
            return await self._share(outgoing, file)
        if not outgoing.is_final and self._streams.can_begin(outgoing):
            with suppress(SlackRefused):  # not every workspace has streams
                return await self._streams.begin(outgoing)
        return await self._messages.post(outgoing)

    async def _share(self, outgoing: Outgoing, file: TextFile) -> str:
        """An app that may not send files says so: what comes after the file is not kept waiting."""
        try:
            return await self._messages.share(outgoing, file)
        except ConfigMistake as mistake:
            log.warning("file sent as text", extra={"key": outgoing.key, "why": str(mistake)})
            beginning = cut(outgoing.text, _LIMITS.text_length - len(_CUT))
            return await self._messages.post(replace(outgoing, text=f"{beginning}{_CUT}"))

    async def _edit(self, message_id: str, outgoing: Outgoing) -> None:
        if await self._streams.grow(message_id, outgoing):
            return
        try:
            await self._messages.update(message_id, outgoing)
        except SlackRefused as refused:
            if refused.code != _STREAMING:
                raise
            await self._streams.end(message_id, outgoing)  # another process left it open
            await self._messages.update(message_id, outgoing)

    def _note(self, outgoing: Outgoing) -> None:
        team, key = outgoing.address.parts[0], outgoing.key
        if outgoing.is_final:
            self._previews.end(team, key)
        else:
            self._previews.show(team, key, outgoing.text)

    async def _post_anew(self, message_id: str, outgoing: Outgoing, code: str) -> str:
        """Whoever did so before may have died of it, so that it is looked for first."""
        if code != GONE:
            with _mended_later():
                await self._messages.delete(message_id, outgoing)
        found = await self.find(outgoing)
        if found is None:
            self._anew[outgoing.key] = self._now()
            found = await self.post(outgoing)
        self._anew.pop(outgoing.key, None)
        return found

    def _unsettled(self, outgoing: Outgoing) -> float:
        """Seconds until it is certain that what was tried never appears."""
        tried_at = self._anew.get(outgoing.key, outgoing.tried_at)
        if tried_at is None:
            return self._settle_seconds
        past = (self._now() - tried_at).total_seconds()
        return min(max(self._settle_seconds - past, 0), self._settle_seconds)

    async def _look_for(self, outgoing: Outgoing) -> str | None:
        team, channel = outgoing.address.parts[:2]
        oldest = outgoing.tried_at or self._now() - _OLDEST
        file = file_of(outgoing, _LIMITS)
        sought = Sought(
            team=team,
            channel=channel,
            thread=outgoing.reply_to,
            key=outgoing.key,
            file=file.name if file else None,
            oldest=f"{(oldest - _SKEW).timestamp():.6f}",
        )
        with _mended_later():
            return await self._readback.find(sought)


@contextmanager
def _mended_later() -> Iterator[None]:
    """What the operator has to mend is waited for: the answer is not lost meanwhile."""
    try:
        yield
    except ConfigMistake as mistake:
        raise NotDone(str(mistake), retry_after=_UNTIL_MENDED) from mistake
