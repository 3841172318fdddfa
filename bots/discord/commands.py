"""Does what commands and the message menu ask for on Discord."""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable

import discord

from bots.capacity import Capacity
from bots.commands import Caller, ChatCommands
from bots.discord import wording
from bots.discord.callers import caller_of, can_answer, pointing_at
from bots.discord.parse import attachments
from bots.discord.responses import follow, on_time, take, tell
from core.errors import UserMistake
from core.messaging.storing import NotStored, storing

log = logging.getLogger(__name__)

_LINK = re.compile(r"https?://[\w.]*discord(?:app)?\.com/channels/(?:@me|\d+)/\d+/(\d{15,20})/?")
_MESSAGE, _TURN = re.compile(r"\d{15,20}"), re.compile(r"#?\d{1,14}")

Verb = Callable[[Caller], Awaitable[str]]


class DiscordCommands:
    """What asks something is stored before it is acknowledged, all else done after it."""

    def __init__(self, chat: ChatCommands, capacity: Capacity) -> None:
        self._chat = chat
        self._capacity = capacity

    async def ask(
        self, interaction: discord.Interaction, question: str, agent: str | None = None
    ) -> None:
        """The question is shown to everybody, and answered by a message of its own."""
        caller = await self._heard_here(interaction)
        if caller is None:
            return
        asking = self._stored(lambda: self._chat.ask(caller, question, agent))
        (words, is_stored), is_taken = await on_time(interaction, asking, is_public=True)
        if is_stored:
            words = wording.asked(question, words)
        if is_taken:
            await follow(interaction, words)
        else:
            await tell(interaction, words, is_public=is_stored)

    async def ask_about(self, interaction: discord.Interaction, message: discord.Message) -> None:
        """Ask the channel's agent about a message; the answer replies to that."""
        caller = await self._heard_here(interaction)
        if caller is None:
            return
        pointing = pointing_at(caller, message)
        files = tuple(attachments(message))
        asking = self._stored(lambda: self._chat.ask_about(pointing, message.clean_content, files))
        (words, _), is_taken = await on_time(interaction, asking, is_public=False)
        await (follow if is_taken else tell)(interaction, words)

    async def obey(self, interaction: discord.Interaction, verb: Verb) -> None:
        """Do all else, and say so to whoever commanded."""
        caller = caller_of(interaction)
        if caller is None:
            await tell(interaction, wording.NOT_HERE)
            return
        if not await take(interaction):
            return
        try:
            with storing(), self._capacity.used():
                answer = await self._chat.said(verb(caller))
        except NotStored as error:
            log.warning("command not done", extra={"key": caller.key, "why": str(error)})
            answer = wording.NOT_STORED
        await follow(interaction, answer)

    async def why(self, caller: Caller, answer: str) -> str:
        """`answer` is the number of one, the id of its message or the link to that."""
        turn_id, message_ids = _reference(answer.strip())
        return await self._chat.why(caller, turn_id=turn_id, message_ids=message_ids)

    async def _stored(self, ask: Callable[[], Awaitable[str]]) -> tuple[str, bool]:
        """What to say of a question, and whether it is stored."""
        try:
            with storing(), self._capacity.used():
                return await ask(), True
        except UserMistake as mistake:
            return wording.WORDING.sentence(str(mistake)), False
        except NotStored as error:
            log.warning("question not stored", extra={"why": str(error)})
            return wording.NOT_STORED, False

    async def _heard_here(self, interaction: discord.Interaction) -> Caller | None:
        """Who asks, where it can be answered; else they are told."""
        caller = caller_of(interaction)
        if caller is None or not can_answer(interaction):
            await tell(interaction, wording.CANNOT_ANSWER)
            return None
        return caller


def _reference(text: str) -> tuple[int | None, list[str]]:
    if found := _LINK.fullmatch(text):
        return None, [found[1]]
    if _MESSAGE.fullmatch(text):
        return None, [text]
    if _TURN.fullmatch(text):
        return int(text.removeprefix("#")), []
    if text:
        raise UserMistake("Say which answer: its number, or the link of its message.")
    return None, []
