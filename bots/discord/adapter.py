"""The way out to Discord: answers posted once, edited while they grow, found after a crash."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from hashlib import sha256

import discord

from bots.discord import earlier
from bots.discord.echoes import Echoes
from bots.discord.failures import NOT_OURS, UNKNOWN_MESSAGE, DiscordRefused
from bots.discord.messages import Messages
from bots.discord.place import place_of
from bots.discord.readback import Readback
from bots.discord.rest import Rest
from bots.downloads import NAME, download, kept_at, origin_of
from bots.previews import Previews
from bots.text_file import file_of
from core import clock
from core.address import Address
from core.errors import ConfigMistake, Transient
from core.messaging.adapter import KeptFile, Limits
from core.messaging.messages import Attachment, Outgoing, Quote

_INTERVAL = 1.2  # seconds between two edits in a channel: four in five seconds of the five it takes
_LIMITS = Limits(text_length=1_900, seconds_between_edits=_INTERVAL, takes_files=True)
_HOSTS = {"https://cdn.discordapp.com", "https://media.discordapp.net"}
_WITHOUT_FILES = {"https://discord.com"}
_FILE = rf"(?!/api/)(?:/\w+)?/(?:ephemeral-)?attachments/\w+/\w+/{NAME}(?:\?[\w=&.~%-]*)?"
_UNEDITABLE = {UNKNOWN_MESSAGE, NOT_OURS}
_OLDEST = timedelta(days=2)  # how far back is looked for what was posted who knows when
_SKEW = timedelta(minutes=5)  # between Discord's clock and ours
_UNTIL_MENDED = 120.0  # seconds between two tries of what the operator has to mend


class DiscordAdapter:
    """Adapter, ShowsWork, FetchesFiles and ReadsThreads of Discord. Message ids are Discord's.

    A message has its key as nonce for ever. Discord knows a nonce for some minutes: that covers
    what is still on its way when it is looked for. What was tried before that is in the history.
    """

    def __init__(
        self,
        rest: Rest,
        name_of: Callable[[str], str | None],
        echoes: Echoes,
        *,
        now: clock.Clock = clock.now,
    ) -> None:
        """`name_of` an agent stands above its answers, unless it is None."""
        self._echoes = echoes
        self._rest = rest
        self._messages = Messages(rest, name_of)
        self._readback = Readback(rest)
        self._files = addresses(rest.api_url)
        self._previews = Previews(_INTERVAL)
        self._now = now

    @property
    def limits(self) -> Limits:
        """Discord takes 2,000 characters; the rest is for the name and for drawing tables."""
        return _LIMITS

    def may_preview(self, outgoing: Outgoing) -> bool:
        """Nothing waits behind a preview, and no preview behind anything."""
        channel = place_of(outgoing).channel
        return not self._messages.is_writing(channel) and self._previews.is_due(
            str(channel), outgoing.key, outgoing.text
        )

    async def post(self, outgoing: Outgoing) -> str:
        """Post the message, or the file that it is.

        One that arrived and was deleted by somebody some minutes ago is refused.
        """
        return await self._post(outgoing, nonce=outgoing.key)

    async def edit(self, message_id: str, outgoing: Outgoing) -> str:
        """Replace text and buttons; an ended answer whose message is gone is posted anew."""
        self._note(outgoing)
        if file_of(outgoing, _LIMITS):
            return message_id
        try:
            with _mended_later():
                await self._messages.edit(int(message_id), outgoing)
        except DiscordRefused as refused:
            if not outgoing.is_final or refused.code not in _UNEDITABLE:
                raise
            return await self._post_anew(message_id, outgoing)
        return message_id

    async def find(self, outgoing: Outgoing) -> str | None:
        """As Discord told back, or read back by the key that the buttons carry."""
        if echoed := self._echoes.find(outgoing.key):
            return str(echoed)
        place = place_of(outgoing)
        oldest = (outgoing.tried_at or self._now() - _OLDEST) - _SKEW
        after = max(place.oldest, discord.utils.time_snowflake(oldest))
        with _mended_later():
            found = await self._readback.find(place, outgoing.key, after=after)
        return str(found) if found else None

    async def working(self, outgoing: Outgoing) -> None:
        """Discord shows for ten seconds that somebody types."""
        with _mended_later():
            await self._messages.type(outgoing)

    async def said_in(self, thread: Address, *, after: int, before: int) -> list[Quote]:
        """What was said in a thread between these messages, as `ReadsThreads` wants it."""
        with _mended_later():
            return await earlier.said_in(self._rest, thread, after=after, before=before)

    async def look_up(self, _place: Address, attachment: Attachment) -> KeptFile:
        """Its address is all that it takes, and no token; it is valid for about a day."""
        return KeptFile(attachment=attachment, read=partial(self._read, attachment.url))

    async def _read(self, address: str, limit: int) -> bytes:
        return await download(address, limit, place=self._files)

    async def _post(self, outgoing: Outgoing, *, nonce: str) -> str:
        self._note(outgoing)
        with _mended_later():
            return str(await self._messages.post(outgoing, file_of(outgoing, _LIMITS), nonce=nonce))

    async def _post_anew(self, message_id: str, outgoing: Outgoing) -> str:
        """Whoever did so before may have died of it, so that it is looked for first.

        The nonce is another one, as the key's leads to the message that is gone; it follows from
        that, so that the next try has it too.
        """
        nonce = sha256(f"{outgoing.key}/{message_id}".encode()).hexdigest()[:16]
        return await self.find(outgoing) or await self._post(outgoing, nonce=nonce)

    def _note(self, outgoing: Outgoing) -> None:
        channel = str(place_of(outgoing).channel)
        if outgoing.is_final:
            self._previews.end(channel, outgoing.key)
        else:
            self._previews.show(channel, outgoing.key, outgoing.text)


def addresses(api_url: str) -> re.Pattern[str]:
    """Where files are kept. An API that is not Discord's own, as in tests, keeps them itself."""
    return kept_at((_HOSTS | {origin_of(api_url)}) - _WITHOUT_FILES, _FILE)


@contextmanager
def _mended_later() -> Iterator[None]:
    """What the operator has to mend is waited for: the answer is not lost meanwhile."""
    try:
        yield
    except ConfigMistake as mistake:
        raise Transient(str(mistake), retry_after=_UNTIL_MENDED) from mistake
