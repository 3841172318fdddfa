"""The adapter of Discord: posts and edits answers, and finds what a crash left unrecorded."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import cached_property, partial
from hashlib import sha256

import discord

from bots.discord import earlier
from bots.discord.channels import destination_of
from bots.discord.failures import NOT_OURS, UNKNOWN_MESSAGE, DiscordRefused
from bots.discord.format import LONGEST, name_length
from bots.discord.messages import Messages
from bots.discord.rest import Rest
from bots.discord.sent_messages import SentMessages, Traces
from bots.downloads import NAME, download, kept_at, origin_of
from bots.previews import Previews
from bots.text_file import TextFile, file_of
from core import clock
from core.address import Address
from core.errors import ConfigMistake, Transient
from core.messaging.adapter import KeptFile, Limits
from core.messaging.messages import Attachment, Outgoing, Quote

_INTERVAL = 1.2  # seconds: Discord takes five edits in five seconds in a channel
_HOSTS = {"https://cdn.discordapp.com", "https://media.discordapp.net"}
_WITHOUT_FILES = {"https://discord.com"}
_FILE = rf"(?!/api/)(?:/\w+)?/(?:ephemeral-)?attachments/\w+/\w+/{NAME}(?:\?[\w=&.~%-]*)?"
_UNEDITABLE = {UNKNOWN_MESSAGE, NOT_OURS}
_OLDEST = timedelta(days=2)  # how far back to search if the time of the post is unknown
_SKEW = timedelta(minutes=5)  # between Discord's clock and ours
_CONFIG_RETRY_SECONDS = 120.0  # the operator has to act first


class DiscordAdapter:
    """Implements Adapter, ShowsWork, FetchesFiles and ReadsThreads. Message ids are Discord's.

    A post has its key as nonce: for some minutes Discord answers a repeated nonce with the message
    that has it already. That covers a post still on its way while `find` looks for it; an older
    post is in the channel's history.
    """

    def __init__(
        self,
        rest: Rest,
        name_of: Callable[[str], str | None],
        sent: SentMessages,
        *,
        now: clock.Clock = clock.now,
    ) -> None:
        """`name_of` gives the name above an agent's answers, None for no name."""
        self._limits = Limits(
            text_length=LONGEST,
            seconds_between_edits=_INTERVAL,
            takes_files=True,
            name_length=lambda agent: name_length(name_of(agent)),
            counts_messages=True,
        )
        self._sent = sent
        self._rest = rest
        self._messages = Messages(rest, name_of)
        self._previews = Previews(_INTERVAL)
        self._now = now

    @property
    def limits(self) -> Limits:
        """Discord takes 2,000 characters, the agent's name above them included."""
        return self._limits

    def may_preview(self, outgoing: Outgoing) -> bool:
        """False while another call runs in the channel: previews neither wait nor delay others."""
        channel = destination_of(outgoing).channel
        return not self._messages.is_writing(channel) and self._previews.is_due(
            str(channel), outgoing.key, outgoing.text
        )

    async def post(self, outgoing: Outgoing) -> str:
        """Post the message, or a file if the text is longer than a message.

        Discord refuses a nonce whose message was deleted within the last minutes.
        """
        return await self._post(outgoing, nonce=outgoing.key)

    async def edit(self, message_id: str, outgoing: Outgoing) -> str:
        """Replace text and buttons; a finished answer whose message was deleted is posted again."""
        self._track(outgoing)
        if self._file_of(outgoing):
            return message_id
        try:
            with _retried_after_mistakes():
                await self._messages.edit(int(message_id), outgoing)
        except DiscordRefused as refused:
            if not outgoing.is_final or refused.code not in _UNEDITABLE:
                raise
            return await self._post_anew(message_id, outgoing)
        return message_id

    async def find(self, outgoing: Outgoing) -> str | None:
        """The message of an earlier try: as the gateway told, else from the history."""
        return await self._find(outgoing)

    async def _find(self, outgoing: Outgoing, *, gone: str = "") -> str | None:
        known = str(self._sent.by_nonce(outgoing.key) or "")
        if known and known != gone:
            return known
        destination = destination_of(outgoing)
        oldest = (outgoing.tried_at or self._now() - _OLDEST) - _SKEW
        after = max(
            destination.oldest,
            discord.utils.time_snowflake(oldest),
            int(outgoing.follows or 0),
        )
        traces = Traces(
            key=outgoing.key,
            content=None if outgoing.is_last else self._messages.content(outgoing),
            question=destination.oldest if outgoing.is_first else None,
        )
        with _retried_after_mistakes():
            found = await self._sent.find(destination, traces, after=after)
        return str(found) if found else None

    @property
    def working_seconds(self) -> float:
        """Discord shows it for ten seconds."""
        return 8.0

    async def working(self, outgoing: Outgoing) -> None:
        """Show "is typing", for ten seconds."""
        with _retried_after_mistakes():
            await self._messages.show_typing(outgoing)

    async def said_in(self, at: Address, *, after: int, before: int) -> list[Quote]:
        """What was said between these messages, as `ReadsThreads` wants it."""
        with _retried_after_mistakes():
            return await earlier.said_in(self._rest, at, after=after, before=before)

    async def look_up(self, _place: Address, attachment: Attachment) -> KeptFile:
        """The URL suffices, without a token; Discord keeps it valid for about a day."""
        return KeptFile(attachment=attachment, read=partial(self._read, attachment.url))

    @cached_property
    def _files(self) -> re.Pattern[str]:
        return file_urls(self._rest.api_url)

    async def _read(self, url: str, limit: int) -> bytes:
        return await download(url, limit, place=self._files)

    async def _post(self, outgoing: Outgoing, *, nonce: str) -> str:
        self._track(outgoing)
        with _retried_after_mistakes():
            return str(await self._messages.post(outgoing, self._file_of(outgoing), nonce=nonce))

    async def _post_anew(self, message_id: str, outgoing: Outgoing) -> str:
        """Post a deleted message again, unless a process that died meanwhile already did.

        The key as nonce would lead to the deleted message. The other nonce is derived from that
        message's id, so that every further try uses the same one.
        """
        nonce = sha256(f"{outgoing.key}/{message_id}".encode()).hexdigest()[:16]
        return await self._find(outgoing, gone=message_id) or await self._post(
            outgoing, nonce=nonce
        )

    def _file_of(self, outgoing: Outgoing) -> TextFile | None:
        return file_of(outgoing, self._limits)

    def _track(self, outgoing: Outgoing) -> None:
        channel = str(destination_of(outgoing).channel)
        if outgoing.is_final:
            self._previews.end(channel, outgoing.key)
        else:
            self._previews.show(channel, outgoing.key, outgoing.text)


def file_urls(api_url: str) -> re.Pattern[str]:
    """Matches the URLs of Discord's files. Another API, as in tests, keeps them itself."""
    return kept_at((_HOSTS | {origin_of(api_url)}) - _WITHOUT_FILES, _FILE)


@contextmanager
def _retried_after_mistakes() -> Iterator[None]:
    """Turns ConfigMistake into Transient: the answer waits until the operator has acted."""
    try:
        yield
    except ConfigMistake as mistake:
        raise Transient(str(mistake), retry_after=_CONFIG_RETRY_SECONDS) from mistake
