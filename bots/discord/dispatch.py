"""Hands events to the core: each is stored before `dispatch` returns."""

from __future__ import annotations

import logging
from typing import assert_never

import discord

from bots.background import Background
from bots.discord.channels import ReplyTo
from bots.discord.parse import Deleted, Edited, Event
from bots.discord.rest import Rest
from bots.discord.wording import WORDING, escaped
from bots.hearing import hear, storable
from core.errors import NotAllowed
from core.messaging.access import Gate
from core.messaging.intake import Reception
from core.messaging.messages import PlatformMessage

log = logging.getLogger(__name__)


class Dispatcher:
    """Stores what the gateway sends and what catching up finds. Every call can be repeated.

    Discord sends an event once, so whoever calls this tries again after NotStored, which both
    methods raise while the database refuses or is busy. What can never be stored is left out: no
    other message may wait for it for ever.
    """

    def __init__(self, reception: Reception, refusals: Refusals) -> None:
        self._reception = reception
        self._refusals = refusals

    async def dispatch(self, event: Event) -> None:
        """Store a new message, its new text, or that it was deleted."""
        match event:
            case PlatformMessage():
                await self.hear(event)
            case Edited():
                with storable(event.heard.key):
                    await self._reception.change(event.heard, event.at)
            case Deleted():
                with storable(event.key):
                    await self._reception.withdraw(event.key)
            case _:
                assert_never(event)

    async def unanswered(self, limit: int) -> list[str]:
        """The keys of messages that are not answered yet."""
        return await self._reception.unanswered("discord", limit)

    async def hear(self, heard: PlatformMessage) -> bool:
        """Store a message; returns whether it is new and will be answered."""
        accepted = None
        with storable(heard.key):
            if _is_leave(heard):
                await self._leave(heard)
            else:
                accepted = await hear(self._reception, self._refusals, heard)
        return accepted is not None and accepted.is_new

    async def _leave(self, heard: PlatformMessage) -> None:
        """Everything else has a slash command, which works in threads, too."""
        try:
            if await self._reception.leave(heard):
                self._refusals.say(heard, WORDING.left(is_thread=True))
        except NotAllowed as refused:
            self._refusals.answer(heard, refused)


def _is_leave(heard: PlatformMessage) -> bool:
    """Said by a person: an app commands nothing."""
    is_called = heard.is_mention and heard.thread is not None and not heard.is_direct
    return (
        is_called and not heard.is_by_app and heard.text.strip().casefold().rstrip(".!") == "leave"
    )


class Refusals:
    """Replies to people who may not ask, at most once an hour each. Best effort: not stored."""

    def __init__(self, rest: Rest, gate: Gate, background: Background) -> None:
        self._rest = rest
        self._gate = gate
        self._background = background

    def answer(self, heard: PlatformMessage, refused: NotAllowed) -> None:
        """Reply to the message soon, in the background, if a person wrote it."""
        if heard.is_by_app:
            return
        self._background.add("refusal", lambda: self._answer(heard, escaped(str(refused))))

    def say(self, heard: PlatformMessage, words: str) -> None:
        """Reply with anything else, in Discord's markup, soon."""
        self._background.add("reply", lambda: self._reply(heard, words, "a reply"))

    async def _answer(self, heard: PlatformMessage, text: str) -> None:
        if await self._gate.may_be_told(heard.author, heard.place):
            await self._reply(heard, text, "a refusal")

    async def _reply(self, heard: PlatformMessage, text: str, what: str) -> None:
        reply_to = ReplyTo.parse(heard.reply_to or "")
        if reply_to.message is None:
            return
        async with self._rest.call(what) as client:
            channel = client.get_partial_messageable(reply_to.channel)
            reference = discord.MessageReference(
                message_id=reply_to.message, channel_id=reply_to.channel, fail_if_not_exists=False
            )
            await channel.send(text, reference=reference, suppress_embeds=True)
