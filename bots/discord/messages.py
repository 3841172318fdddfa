"""The calls that show something on Discord: a message, its edits, a file, that somebody types."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from weakref import WeakValueDictionary

import discord

from bots.discord import buttons
from bots.discord.failures import (
    ARCHIVED,
    INVALID_FORM,
    NO_HISTORY,
    UNKNOWN_CHANNEL,
    DiscordRefused,
)
from bots.discord.format import byline, shown
from bots.discord.place import Place, place_of
from bots.discord.rest import Rest
from bots.discord.threads import Threads, there
from bots.text_file import TextFile
from core.messaging.messages import Outgoing

_UNANSWERABLE = {NO_HISTORY, INVALID_FORM}  # no reply is possible, such as to a system message


@dataclass(frozen=True, slots=True, kw_only=True)
class _Draft:
    content: str
    view: discord.ui.View
    file: TextFile | None
    nonce: str

    def is_in(self, message: discord.Message) -> bool:
        """Whether the message shows it, as one that the nonce was used for before may not."""
        has_buttons = buttons.ids_of(message) == buttons.of_view(self.view)
        return has_buttons and message.content == self.content


class Messages:
    """Each call raises as `Rest.call` does.

    One writes in a channel at a time: what waits for Discord's limits is not overtaken.
    """

    def __init__(self, rest: Rest, name_of: Callable[[str], str | None]) -> None:
        """`name_of` an agent stands above its answers, unless it is None."""
        self._rest = rest
        self._name_of = name_of
        self._threads = Threads(rest)
        self._writing: WeakValueDictionary[int, asyncio.Lock] = WeakValueDictionary()

    def is_writing(self, channel: int) -> bool:
        """Whether something is on its way there."""
        lock = self._writing.get(channel)
        return lock is not None and lock.locked()

    async def post(self, outgoing: Outgoing, file: TextFile | None, *, nonce: str) -> int:
        """A new message; returns its id.

        Was the nonce used some minutes ago, then it is that message, brought up to date.
        """
        place, name = place_of(outgoing), self._name_of(outgoing.agent)
        draft = _Draft(
            content=byline(name) if file else shown(outgoing.text, name),
            view=buttons.below(outgoing),
            file=file,
            nonce=nonce,
        )
        async with self._lock(place.channel):
            if place.beside is None:
                return await self._post(draft, place)
            return await self._post_in_thread(draft, place, place.beside, outgoing.agent)

    async def edit(self, message_id: int, outgoing: Outgoing) -> None:
        """Other text and other buttons in the message."""
        place = place_of(outgoing)
        content = shown(outgoing.text, self._name_of(outgoing.agent))
        view = buttons.below(outgoing)
        async with self._lock(place.channel):
            await there(place, lambda at: self._edit(message_id, content, view, at))

    async def type(self, outgoing: Outgoing) -> None:
        """Show for ten seconds, or until the next message there, that somebody is at work."""

        async def show(at: Place) -> None:
            async with self._rest.call("that somebody types") as client:
                await client.get_partial_messageable(at.channel, guild_id=at.guild).typing()

        await there(place_of(outgoing), show)

    async def _post_in_thread(
        self, draft: _Draft, thread: Place, beside: Place, otherwise: str
    ) -> int:
        """Most threads are open; what Discord does not open (again) is answered beside it."""
        try:
            return await self._post(draft, thread)
        except DiscordRefused as refused:
            if refused.code != UNKNOWN_CHANNEL:
                raise
        await self._threads.open(beside, otherwise=otherwise)
        return await there(thread, lambda at: self._post(draft, at))

    async def _post(self, draft: _Draft, place: Place) -> int:
        try:
            message = await self._send(draft, place, place.question)
        except DiscordRefused as refused:
            if place.question is None or refused.code not in _UNANSWERABLE:
                raise
            message = await self._send(draft, place, None)
        if not draft.file and not draft.is_in(message):
            await self._edit(message.id, draft.content, draft.view, place)
        return message.id

    async def _send(self, draft: _Draft, place: Place, question: int | None) -> discord.Message:
        file = draft.file
        files = [discord.File(BytesIO(file.content), file.name)] if file else []
        async with self._rest.call("a message") as client:
            channel = client.get_partial_messageable(place.channel, guild_id=place.guild)
            if question is None:
                return await channel.send(
                    draft.content,
                    files=files,
                    view=draft.view,
                    nonce=draft.nonce,
                    suppress_embeds=True,
                )
            return await channel.send(
                draft.content,
                files=files,
                view=draft.view,
                nonce=draft.nonce,
                suppress_embeds=True,
                reference=_reference(question, place),
            )

    async def _edit(
        self, message_id: int, content: str, view: discord.ui.View, place: Place
    ) -> None:
        try:
            await self._edit_once(message_id, content, view, place)
        except DiscordRefused as refused:
            if refused.code != ARCHIVED:
                raise
            await self._threads.unarchive(place.channel)
            await self._edit_once(message_id, content, view, place)

    async def _edit_once(
        self, message_id: int, content: str, view: discord.ui.View, place: Place
    ) -> None:
        """A partial message's edit: a whole one's brings back the previews of links."""
        async with self._rest.call("an edit") as client:
            channel = client.get_partial_messageable(place.channel, guild_id=place.guild)
            await channel.get_partial_message(message_id).edit(content=content, view=view)

    def _lock(self, channel: int) -> asyncio.Lock:
        return self._writing.setdefault(channel, asyncio.Lock())


def _reference(question: int, place: Place) -> discord.MessageReference:
    return discord.MessageReference(
        message_id=question,
        channel_id=place.channel,
        guild_id=place.guild,
        fail_if_not_exists=False,
    )
