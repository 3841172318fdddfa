"""The calls that show something on Discord: messages, edits, files, typing, threads."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from weakref import WeakValueDictionary

import discord

from bots.discord import buttons, internals
from bots.discord.channels import Destination, destination_of, with_fallback
from bots.discord.failures import (
    ARCHIVED,
    INVALID_FORM,
    NO_HISTORY,
    UNKNOWN_CHANNEL,
    DiscordRefused,
)
from bots.discord.format import byline, render
from bots.discord.rest import Rest
from bots.text_file import TextFile
from core.graphemes import shortened
from core.messaging.messages import Outgoing

_CANNOT_REPLY = {NO_HISTORY, INVALID_FORM}  # INVALID_FORM: a system message, for example
_LONGEST_THREAD_NAME = 100
_MENTION = re.compile(r"<(?:@[!&]?|#)\d+>")
_EMOJI = re.compile(r"<a?(:\w+:)\d+>")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Draft:
    content: str
    view: discord.ui.View
    file: TextFile | None
    nonce: str
    is_reply: bool

    def matches(self, message: discord.Message) -> bool:
        """Whether the message looks like this; an earlier post with the same nonce may not."""
        has_buttons = buttons.ids_of(message) == buttons.ids_in_view(self.view)
        return has_buttons and message.content == self.content


class Messages:
    """Posts and edits; each method raises as `Rest.call` does.

    One call at a time in each channel, so that a call that waits for a rate limit is not overtaken.
    """

    def __init__(self, rest: Rest, name_of: Callable[[str], str | None]) -> None:
        """`name_of` gives the name above an agent's answers, None for no name."""
        self._rest = rest
        self._name_of = name_of
        self._threads = Threads(rest)
        self._writing: WeakValueDictionary[int, asyncio.Lock] = WeakValueDictionary()

    def is_writing(self, channel: int) -> bool:
        """Whether a call in this channel has not ended."""
        lock = self._writing.get(channel)
        return lock is not None and lock.locked()

    def content(self, outgoing: Outgoing) -> str:
        """The text as it is sent to Discord."""
        return render(outgoing.text, self._name_of(outgoing.agent))

    async def post(self, outgoing: Outgoing, file: TextFile | None, *, nonce: str) -> int:
        """Post a message, or the file instead of its text; returns the message's id.

        If the nonce was used within the last minutes, edits that message instead.
        """
        destination = destination_of(outgoing)
        name = self._name_of(outgoing.agent)
        draft = _Draft(
            content=byline(name) if file else self.content(outgoing),
            view=buttons.below(outgoing),
            file=file,
            nonce=nonce,
            is_reply=outgoing.is_first,
        )
        async with self._lock(destination.channel):
            if destination.fallback is None:
                return await self._post(draft, destination)
            return await self._post_in_thread(
                draft, destination, destination.fallback, outgoing.agent
            )

    async def edit(self, message_id: int, outgoing: Outgoing) -> None:
        """Replace text and buttons of a message."""
        destination = destination_of(outgoing)
        content = self.content(outgoing)
        view = buttons.below(outgoing)
        async with self._lock(destination.channel):
            await with_fallback(destination, lambda at: self._edit(message_id, content, view, at))

    async def show_typing(self, outgoing: Outgoing) -> None:
        """Show "is typing" for ten seconds, or until the bot's next message there."""

        async def show(at: Destination) -> None:
            async with self._rest.call("that somebody types") as client:
                await client.get_partial_messageable(at.channel, guild_id=at.guild).typing()

        await with_fallback(destination_of(outgoing), show)

    async def _post_in_thread(
        self, draft: _Draft, thread: Destination, question: Destination, agent: str
    ) -> int:
        """Post in the thread, which mostly exists; beside the question if it cannot be opened."""
        try:
            return await self._post(draft, thread)
        except DiscordRefused as refused:
            if refused.code != UNKNOWN_CHANNEL:
                raise
        await self._threads.open(question, otherwise=agent)
        return await with_fallback(thread, lambda at: self._post(draft, at))

    async def _post(self, draft: _Draft, destination: Destination) -> int:
        question = destination.question if draft.is_reply else None
        try:
            message = await self._send(draft, destination, question)
        except DiscordRefused as refused:
            if question is None or refused.code not in _CANNOT_REPLY:
                raise
            message = await self._send(draft, destination, None)
        if not draft.file and not draft.matches(message):
            await self._edit(message.id, draft.content, draft.view, destination)
        return message.id

    async def _send(
        self, draft: _Draft, destination: Destination, question: int | None
    ) -> discord.Message:
        file = draft.file
        files = [discord.File(BytesIO(file.content), file.name)] if file else []
        async with self._rest.call("a message") as client:
            channel = client.get_partial_messageable(
                destination.channel, guild_id=destination.guild
            )
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
                reference=_reference(question, destination),
            )

    async def _edit(
        self, message_id: int, content: str, view: discord.ui.View, destination: Destination
    ) -> None:
        try:
            await self._edit_once(message_id, content, view, destination)
        except DiscordRefused as refused:
            if refused.code != ARCHIVED:
                raise
            await self._threads.unarchive(destination.channel)
            await self._edit_once(message_id, content, view, destination)

    async def _edit_once(
        self, message_id: int, content: str, view: discord.ui.View, destination: Destination
    ) -> None:
        """Uses a partial message: discord.py 2.7.1's `Message.edit` brings link previews back."""
        async with self._rest.call("an edit") as client:
            channel = client.get_partial_messageable(
                destination.channel, guild_id=destination.guild
            )
            await channel.get_partial_message(message_id).edit(content=content, view=view)

    def _lock(self, channel: int) -> asyncio.Lock:
        return self._writing.setdefault(channel, asyncio.Lock())


def _reference(question: int, destination: Destination) -> discord.MessageReference:
    return discord.MessageReference(
        message_id=question,
        channel_id=destination.channel,
        guild_id=destination.guild,
        fail_if_not_exists=False,
    )


class Threads:
    """Opens threads and takes them out of the archive. Each method raises as `Rest.call` does."""

    def __init__(self, rest: Rest) -> None:
        self._rest = rest

    async def open(self, at: Destination, *, otherwise: str) -> None:
        """Open the question's thread, named after its text, or `otherwise` if it has none.

        Does not tell whether it exists then.
        """
        if at.question is None:
            return
        name = await self._name(at, at.question) or shortened(otherwise, _LONGEST_THREAD_NAME)
        with suppress(DiscordRefused):
            async with self._rest.call("a thread") as client:
                await internals.open_thread(client, at.channel, at.question, name)

    async def unarchive(self, thread: int) -> None:
        """Unarchive a thread: in an archived one messages can be sent but not edited."""
        async with self._rest.call("the opening of an archived thread") as client:
            await internals.unarchive(client, thread)

    async def _name(self, at: Destination, question: int) -> str:
        try:
            async with self._rest.call("a question") as client:
                channel = client.get_partial_messageable(at.channel, guild_id=at.guild)
                message = await channel.fetch_message(question)
        except DiscordRefused:
            return ""
        return named_after(message.content)


def named_after(question: str) -> str:
    """A thread's name: the question's first words, without mentions."""
    plain = " ".join(_EMOJI.sub(r"\1", _MENTION.sub(" ", question)).split())
    return shortened(plain, _LONGEST_THREAD_NAME)
