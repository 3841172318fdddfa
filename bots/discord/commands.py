"""Carries out slash commands and the message menu: who uses one, where, and what it does."""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable
from dataclasses import replace

import discord

from bots.capacity import Capacity
from bots.commands import Caller, ChatCommands
from bots.discord import wording
from bots.discord.channels import Location, ReplyTo, interaction_key, location_of
from bots.discord.parse import author_of, quote_of
from bots.discord.responses import defer, edit_response, respond, run_or_defer
from core.errors import UserMistake
from core.messaging.storing import NotStored, storing

log = logging.getLogger(__name__)

_LINK = re.compile(r"https?://[\w.]*discord(?:app)?\.com/channels/(?:@me|\d+)/\d+/(\d{15,20})/?")
_MESSAGE, _TURN = re.compile(r"\d{15,20}"), re.compile(r"#?\d{1,14}")

Command = Callable[[Caller], Awaitable[str]]


class DiscordCommands:
    """Questions are stored before they are acknowledged; all else is done after it."""

    def __init__(self, chat: ChatCommands, capacity: Capacity) -> None:
        self._chat = chat
        self._capacity = capacity

    async def ask(
        self, interaction: discord.Interaction, question: str, agent: str | None = None
    ) -> None:
        """Store a question and show it to everybody; the answer is a message of its own."""
        caller = await self._caller(interaction)
        if caller is None:
            return
        asking = self._store(lambda: self._chat.ask(caller, question, agent))
        (text, is_stored), is_deferred = await run_or_defer(interaction, asking, is_public=True)
        if is_stored:
            text = wording.asked(question, text)
        if is_deferred:
            await edit_response(interaction, text)
        else:
            await respond(interaction, text, is_public=is_stored)

    async def ask_about(self, interaction: discord.Interaction, message: discord.Message) -> None:
        """Ask the channel's agent about a message; the answer replies to that message."""
        caller = await self._caller(interaction)
        if caller is None:
            return
        asking_about = replying_to(caller, message)
        me = interaction.client.user
        said = quote_of(message, me.id if me else 0)
        asking = self._store(lambda: self._chat.ask_about(asking_about, said))
        (text, _), is_deferred = await run_or_defer(interaction, asking, is_public=False)
        await (edit_response if is_deferred else respond)(interaction, text)

    async def run(self, interaction: discord.Interaction, command: Command) -> None:
        """Run any other command, and show its text to the caller alone."""
        caller = caller_of(interaction)
        if caller is None:
            await respond(interaction, wording.NOT_HERE)
            return
        if not await defer(interaction):
            return
        try:
            with storing(), self._capacity.used():
                answer = await self._chat.said(command(caller))
        except NotStored as error:
            log.warning("command not done", extra={"key": caller.key, "why": str(error)})
            answer = wording.NOT_STORED
        await edit_response(interaction, answer)

    async def why(self, caller: Caller, answer: str) -> str:
        """Explain an answer, given as its number, its message id or the link of its message."""
        turn_id, message_ids = _reference(answer.strip())
        return await self._chat.why(caller, turn_id=turn_id, message_ids=message_ids)

    async def _store(self, ask: Callable[[], Awaitable[str]]) -> tuple[str, bool]:
        """The text to respond to a question with, and whether the question is stored."""
        try:
            with storing(), self._capacity.used():
                return await ask(), True
        except UserMistake as mistake:
            return wording.WORDING.sentence(str(mistake)), False
        except NotStored as error:
            log.warning("question not stored", extra={"why": str(error)})
            return wording.NOT_STORED, False

    async def _caller(self, interaction: discord.Interaction) -> Caller | None:
        """Who asks; None, after telling them, where the bot cannot answer."""
        caller = caller_of(interaction)
        if caller is None or not can_answer(interaction):
            await respond(interaction, wording.CANNOT_ANSWER)
            return None
        return caller


def caller_of(interaction: discord.Interaction) -> Caller | None:
    """Who uses a command; the answer replies to no message. None outside of a known channel."""
    location = location_of(interaction.channel) if interaction.channel else None
    if location is None:
        return None

    async def may_manage() -> bool:
        allowed = interaction.permissions
        return location.guild is None or allowed.manage_channels or allowed.administrator

    return Caller(
        key=interaction_key(interaction),
        place=location.channel_address,
        thread=str(location.channel) if location.parent else None,
        author=author_of(interaction.user),
        position=interaction.id,
        at=interaction.created_at,
        is_direct=location.guild is None,
        may_manage=may_manage,
        reply_to=ReplyTo(channel=location.channel).key,
        reply_in=ReplyTo(channel=location.channel).key,
    )


def replying_to(caller: Caller, message: discord.Message) -> Caller:
    """The same caller, whose answer replies to this message or goes into its thread."""
    location = location_of(message.channel) or Location(guild=None, channel=message.channel.id)
    beside = ReplyTo(channel=location.channel, message=message.id).key
    inside = ReplyTo(channel=message.id, message=message.id).key
    return replace(
        caller,
        opens=str(message.id) if location.has_threads else None,
        reply_to=beside,
        reply_in=inside if location.has_threads else beside,
    )


def can_answer(interaction: discord.Interaction) -> bool:
    """Whether the bot may write in the channel of this interaction."""
    if interaction.guild_id is None:
        return True
    allowed, channel = interaction.app_permissions, interaction.channel
    is_thread = isinstance(channel, discord.Thread)
    may_send = allowed.send_messages_in_threads if is_thread else allowed.send_messages
    may_write = allowed.administrator or (allowed.view_channel and may_send)
    return may_write and _can_read(channel, allowed)


def _can_read(channel: object, allowed: discord.Permissions) -> bool:
    """A private thread has its channel's permissions, but only its members can read it."""
    if not (isinstance(channel, discord.Thread) and channel.is_private()):
        return True
    known = channel.guild.get_thread(channel.id)
    return allowed.manage_threads or (known is not None and known.me is not None)


def is_from_elsewhere(interaction: discord.Interaction) -> bool:
    """Whether the person installed the app for themselves and uses it where the bot is not."""
    is_direct = interaction.context.dm_channel
    is_own = interaction.is_user_integration() and not interaction.is_guild_integration()
    return is_own and not is_direct


def _reference(text: str) -> tuple[int | None, list[str]]:
    """The turn's number, or the ids of messages, that the text names; nothing for empty text."""
    if found := _LINK.fullmatch(text):
        return None, [found[1]]
    if _MESSAGE.fullmatch(text):
        return None, [text]
    if _TURN.fullmatch(text):
        return int(text.removeprefix("#")), []
    if text:
        raise UserMistake("Say which answer: its number, or the link of its message.")
    return None, []
