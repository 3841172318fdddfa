"""What the buttons below answers do: they know no more than their answer's key, for ever."""

from __future__ import annotations

import logging

import discord

from bots.capacity import Capacity
from bots.discord import buttons, wording
from bots.discord.callers import key_of, person_of
from bots.discord.people import author_of
from bots.discord.responses import nod, tell
from core.commands.controls import Controls, Press
from core.errors import UserMistake
from core.messaging.storing import NotStored, storing

log = logging.getLogger(__name__)


class Presses:
    """Each is done before it is acknowledged, and may be done twice."""

    def __init__(self, controls: Controls, capacity: Capacity) -> None:
        self._controls = controls
        self._capacity = capacity

    async def pressed(self, interaction: discord.Interaction) -> None:
        """Do what the button says."""
        found = buttons.read(interaction.custom_id or "")
        try:
            with storing(), self._capacity.used():
                answer = await self._done(interaction, *found) if found else wording.NOT_ACTIVE
        except UserMistake as mistake:
            answer = wording.WORDING.sentence(str(mistake))
        except NotStored as error:
            log.warning("press not stored", extra={"why": str(error)})
            answer = wording.NOT_STORED
        if answer:
            await tell(interaction, answer)
        else:
            await nod(interaction)

    async def _done(self, interaction: discord.Interaction, action: str, key: str) -> str:
        """What to say of it, if anything."""
        by = author_of(interaction.user)
        if action == buttons.STOP:
            return "" if await self._controls.stop(key, by) else wording.NOT_BEING_WRITTEN
        if action == buttons.AGAIN:
            return await self._again(interaction, key)
        is_known = await self._controls.judge(
            key, by, person=person_of(interaction), is_good=action == buttons.GOOD
        )
        return wording.THANKS if is_known else wording.NOT_ACTIVE

    async def _again(self, interaction: discord.Interaction, key: str) -> str:
        press = Press(
            key=key_of(interaction),
            author=author_of(interaction.user),
            position=interaction.id,
            at=interaction.created_at,
        )
        accepted = await self._controls.again(key, press)
        return wording.AGAIN if accepted else wording.NOT_ACTIVE
