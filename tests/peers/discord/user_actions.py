"""The person side of the app: commands, buttons, menus and modals."""

from __future__ import annotations

from collections.abc import Mapping

from tests.peers.discord import choices, drafts, payloads, transcript
from tests.peers.discord.backend import Backend
from tests.peers.discord.choices import Value
from tests.peers.discord.interactions import (
    AUTOCOMPLETE,
    COMMAND,
    COMPONENT,
    MODAL,
    Interaction,
)
from tests.peers.discord.transcript import Line
from tests.peers.discord.wire import Json

_BUTTON, _ROW, _TEXT_INPUT, _LABEL = 2, 1, 4, 18


class UserActions:
    """Each gives the Interaction, which fills as the bot answers; nothing waits."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend

    def command(
        self, name: str, options: Mapping[str, Value] | None, channel: str, user: str
    ) -> Interaction:
        """`name` with its subcommand: "agent ask", with or without a slash."""
        place = self.backend.world.channels[channel]
        first, *path = name.removeprefix("/").split()
        found = self.backend.menu.find(first, choices.SLASH, place, user)
        filled = choices.typed(found, path, options or {})
        data = self.backend.menu.data(found, path, filled)
        return self.backend.interactions.send(COMMAND, place, user, data)

    def autocomplete(
        self, name: str, options: Mapping[str, Value], focus: str, channel: str, user: str
    ) -> Interaction:
        """`options` so far, with what is typed into `focus`; the answer is in `choices`."""
        place = self.backend.world.channels[channel]
        first, *path = name.removeprefix("/").split()
        found = self.backend.menu.find(first, choices.SLASH, place, user)
        filled = choices.being_typed(found, path, options, focus)
        data = self.backend.menu.data(found, path, filled)
        return self.backend.interactions.send(AUTOCOMPLETE, place, user, data)

    def context_menu(self, name: str, message: str, user: str) -> Interaction:
        """A message command; the bot is shown the message whatever its intents."""
        world = self.backend.world
        target = world.message_anywhere(message)
        place = world.channels[target.channel]
        found = self.backend.menu.find(name, choices.MESSAGE_MENU, place, user)
        data = self.backend.menu.data(found, (), [])
        del data["options"]
        shown = Json({message: payloads.message(world, target)})
        data.update(target_id=message, resolved=Json(messages=shown))
        return self.backend.interactions.send(COMMAND, place, user, data)

    def press(
        self, message: str, control: str, user: str, *, values: list[str] | None = None
    ) -> Interaction:
        """`control`: the custom id or the label. `values`: what is chosen in a select."""
        found = self.backend.world.message_anywhere(message)
        if found.is_deleted or found.for_user not in ("", user):
            raise LookupError(f"{user} does not see {message}")
        place = self.backend.world.channels[found.channel]
        part = _find_control(found.components, control)
        data = Json(custom_id=part["custom_id"], component_type=part["type"])
        data["id"] = part.get("id", 1)
        if part["type"] != _BUTTON:
            data["values"] = values or []
        return self.backend.interactions.send(COMPONENT, place, user, data, found)

    def submit(self, interaction: Interaction, values: Mapping[str, str], user: str) -> Interaction:
        """The modal that the interaction opened; by custom id of the fields."""
        modal = interaction.modal
        if modal is None:
            raise LookupError("no modal was opened")
        world = self.backend.world
        parts = [_filled(Json(part), values) for part in modal["components"]]
        data = Json(custom_id=modal["custom_id"], components=parts)
        found = world.message_anywhere(interaction.message) if interaction.message else None
        place = world.channels[interaction.channel]
        return self.backend.interactions.send(MODAL, place, user, data, found)

    def has_failed(self, interaction: Interaction) -> bool:
        """Whether the person is told that the app did not respond."""
        age = self.backend.clock.now() - interaction.at
        return not interaction.is_acked and age > self.backend.interactions.ack_seconds

    def reply(self, interaction: Interaction) -> Line | None:
        """What stands as the answer now: the original response."""
        place = self.backend.world.channels[interaction.channel]
        message = place.messages.get(interaction.response)
        if message is None or message.is_deleted:
            return None
        return transcript.line_of(self.backend.world, message)


def _find_control(parts: list[Json], control: str) -> Json:
    every = drafts.controls(parts)
    for part in every:
        if control in (part["custom_id"], part.get("label")) and not part.get("disabled"):
            return part
    offered = [part.get("label") or part["custom_id"] for part in every]
    raise LookupError(f"nothing to press named {control}; there are {offered}")


def _filled(part: Json, values: Mapping[str, str]) -> Json:
    """A row or a label of a modal, with what was typed."""
    if part["type"] == _LABEL:
        return Json(type=_LABEL, id=part.get("id", 1), component=_field(part["component"], values))
    inner = [_field(field, values) for field in part.get("components") or ()]
    return Json(type=_ROW, id=part.get("id", 1), components=inner)


def _field(part: Json, values: Mapping[str, str]) -> Json:
    name = part["custom_id"]
    shape = Json(type=part["type"], id=part.get("id", 2), custom_id=name)
    typed = values.get(name, part.get("value", ""))
    shape.update({"value": typed} if part["type"] == _TEXT_INPUT else {"values": [typed]})
    return shape
