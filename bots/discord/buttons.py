"""What can be pressed below an answer, and how its key is read from that."""

from __future__ import annotations

from collections.abc import Iterator

import discord
from discord.ui import Button, View

from core.messaging.messages import Outgoing

STOP, GOOD, BAD, AGAIN = "stop", "good", "bad", "again"
_ACTIONS = {STOP, GOOD, BAD, AGAIN}


def custom_id(action: str, key: str) -> str:
    """What Discord gives back when the button is pressed; `key` is that of the answer."""
    return f"{action}:{key}"


def read(custom_id: str) -> tuple[str, str] | None:
    """The action and the key, if the button is of an answer."""
    action, _, key = custom_id.partition(":")
    return (action, key) if action in _ACTIONS and key else None


def below(outgoing: Outgoing) -> View:
    """The buttons of a growing answer, or of an ended one: every message of an answer has some."""
    view = View(timeout=None)
    if outgoing.is_final:
        view.add_item(Button(emoji="👍", custom_id=custom_id(GOOD, outgoing.key)))
        view.add_item(Button(emoji="👎", custom_id=custom_id(BAD, outgoing.key)))
        view.add_item(Button(emoji="🔄", label="Again", custom_id=custom_id(AGAIN, outgoing.key)))
    else:
        view.add_item(Button(label="Stop", custom_id=custom_id(STOP, outgoing.key)))
    view.stop()  # else discord.py keeps every one of them for ever, to call back
    return view


def of_view(view: View) -> set[str]:
    """The custom ids of the buttons."""
    return {each.custom_id for each in view.children if isinstance(each, Button) and each.custom_id}


def ids_of(message: discord.Message) -> set[str]:
    """The custom ids of all buttons below a message."""
    return set(_ids(message))


def keys_of(message: discord.Message) -> set[str]:
    """The keys of the answer that it is a message of: one, or none."""
    return {found[1] for each in _ids(message) if (found := read(each))}


def _ids(message: discord.Message) -> Iterator[str]:
    for row in message.components:
        if isinstance(row, discord.ActionRow):
            yield from (each.custom_id for each in row.children if each.custom_id)
