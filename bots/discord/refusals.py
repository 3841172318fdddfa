"""Tells somebody on Discord that they may not ask: beside what they wrote, not again and again."""

from __future__ import annotations

import discord

from bots.discord.anchor import Anchor
from bots.discord.rest import Rest
from bots.discord.wording import escaped
from bots.errands import Errands
from core.errors import NotAllowed
from core.messaging.access import Gate
from core.messaging.messages import Heard


class Refusals:
    """What a crash cuts off is not said: whoever asks once more is told in an hour."""

    def __init__(self, rest: Rest, gate: Gate, errands: Errands) -> None:
        self._rest = rest
        self._gate = gate
        self._errands = errands

    def answer(self, heard: Heard, refused: NotAllowed) -> None:
        """Say it as a reply, soon."""
        self._errands.add("refusal", lambda: self._answer(heard, escaped(str(refused))))

    def say(self, heard: Heard, words: str) -> None:
        """Say anything else as a reply, in Discord's markup, soon."""
        self._errands.add("reply", lambda: self._reply(heard, words))

    async def _answer(self, heard: Heard, text: str) -> None:
        if await self._gate.may_be_told(heard.author, heard.place):
            await self._reply(heard, text)

    async def _reply(self, heard: Heard, text: str) -> None:
        anchor = Anchor.parse(heard.reply_to or "")
        if anchor.message is None:
            return
        async with self._rest.call("a refusal") as client:
            channel = client.get_partial_messageable(anchor.channel)
            reference = discord.MessageReference(
                message_id=anchor.message, channel_id=anchor.channel, fail_if_not_exists=False
            )
            await channel.send(text, reference=reference, suppress_embeds=True)
