"""The buttons below answers: how they look, and what pressing one does.

A button's custom id is ACTION:KEY with the key of its outbox message, so that every process can
handle it, also after a restart.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator

import discord
from discord.ui import Button, View

from bots.capacity import Capacity
from bots.discord import wording
from bots.discord.channels import interaction_key, person_key
from bots.discord.parse import author_of
from bots.discord.responses import acknowledge, respond
from core.commands.controls import Controls, Press
from core.errors import UserMistake
from core.messaging.messages import Outgoing
from core.messaging.storing import NotStored, storing

log = logging.getLogger(__name__)

STOP, GOOD, BAD, AGAIN = "stop", "good", "bad", "again"
_ACTIONS = {STOP, GOOD, BAD, AGAIN}


def custom_id(action: str, key: str) -> str:
    """The custom id of a button, which Discord sends back when it is pressed."""
    return f"{action}:{key}"


def read(custom_id: str) -> tuple[str, str] | None:
    """The action and the key of a custom id; None if it is not one of an answer's."""
    action, _, key = custom_id.partition(":")
    return (action, key) if action in _ACTIONS and key else None


def below(outgoing: Outgoing) -> View:
    """Stop below an answer that grows; feedback and Again below the end of a finished one."""
    view = View(timeout=None)
    if outgoing.is_final and not outgoing.is_last:
        pass
    elif outgoing.is_final:
        view.add_item(Button(emoji="👍", custom_id=custom_id(GOOD, outgoing.key)))
        view.add_item(Button(emoji="👎", custom_id=custom_id(BAD, outgoing.key)))
        view.add_item(Button(emoji="🔄", label="Again", custom_id=custom_id(AGAIN, outgoing.key)))
    else:
        view.add_item(Button(label="Stop", custom_id=custom_id(STOP, outgoing.key)))
    view.stop()  # else discord.py keeps the view in memory for ever, to call it back
    return view


def ids_in_view(view: View) -> set[str]:
    """The custom ids of a view's buttons."""
    return {each.custom_id for each in view.children if isinstance(each, Button) and each.custom_id}


def ids_of(message: discord.Message) -> set[str]:
    """The custom ids of all buttons below a message."""
    return set(_ids(message))


def keys_of(message: discord.Message) -> set[str]:
    """The keys in the buttons below a message: one for an answer, else none."""
    return {found[1] for each in _ids(message) if (found := read(each))}


def _ids(message: discord.Message) -> Iterator[str]:
    for row in message.components:
        if isinstance(row, discord.ActionRow):
            yield from (each.custom_id for each in row.children if each.custom_id)


class ButtonHandler:
    """Handles presses. Each is carried out before it is acknowledged, and may be repeated."""

    def __init__(self, controls: Controls, capacity: Capacity) -> None:
        self._controls = controls
        self._capacity = capacity

    async def pressed(self, interaction: discord.Interaction) -> None:
        """Do what the button says, and respond."""
        found = read(interaction.custom_id or "")
        try:
            with storing(), self._capacity.used():
                answer = await self._handle(interaction, *found) if found else wording.NOT_ACTIVE
        except UserMistake as mistake:
            answer = wording.WORDING.sentence(str(mistake))
        except NotStored as error:
            log.warning("press not stored", extra={"why": str(error)})
            answer = wording.NOT_STORED
        if answer:
            await respond(interaction, answer)
        else:
            await acknowledge(interaction)

    async def _handle(self, interaction: discord.Interaction, action: str, key: str) -> str:
        """The text to respond with, empty for none."""
        by = author_of(interaction.user)
        if action == STOP:
            return "" if await self._controls.stop(key, by) else wording.NOT_BEING_WRITTEN
        if action == AGAIN:
            return await self._again(interaction, key)
        is_known = await self._controls.judge(
            key, by, person=person_key(interaction), is_good=action == GOOD
        )
        return wording.THANKS if is_known else wording.NOT_ACTIVE

    async def _again(self, interaction: discord.Interaction, key: str) -> str:
        press = Press(
            key=interaction_key(interaction),
            author=author_of(interaction.user),
            position=interaction.id,
            at=interaction.created_at,
        )
        accepted = await self._controls.again(key, press)
        return wording.AGAIN if accepted else wording.NOT_ACTIVE
