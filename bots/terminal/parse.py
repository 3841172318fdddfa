"""Reads what a person types: a message, or a command with its argument."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from core.address import Address
from core.config.validation import did_you_mean
from core.errors import UserMistake
from core.graphemes import shortened
from core.messaging.messages import Author, RoutedMessage
from core.text import cleaned

_LONGEST_NAME = 100  # of a room or a person: both become part of what a database indexes


class Verb(StrEnum):
    """What can be asked of the terminal itself."""

    AGENTS = "/agents"
    USE = "/use"
    FACTS = "/facts"
    RESET = "/reset"
    HELP = "/help"
    QUIT = "/quit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A verb with whatever stood behind it."""

    verb: Verb
    argument: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """Who sits in which room."""

    address: Address
    person: str

    @classmethod
    def taken(cls, room: str, person: str) -> Seat:
        """The seat, if these names can be used.

        Raises:
            UserMistake: one of them is empty or too long.
        """
        room, person = _name("room", room), _name("person", person)
        return cls(address=Address.parse(f"terminal/{room}"), person=person)


def command(line: str) -> Command | None:
    """The command in this line; None if it is a message, as `//so` is for `/so`.

    Raises:
        UserMistake: there is no such command.
    """
    line = line.strip()
    if not line.startswith("/") or line.startswith("//"):
        return None
    word, _, argument = line.partition(" ")
    verbs = [verb.value for verb in Verb]
    if word not in verbs:
        hint = did_you_mean(word, verbs).rstrip("?")
        raise UserMistake(
            f"There is no command {shortened(word, _LONGEST_NAME)}{hint}. "
            "A message that begins with a slash begins with two."
        )
    verb, argument = Verb(word), argument.strip()
    if argument and verb is not Verb.USE:
        raise UserMistake(f"{verb} takes nothing behind it: type it alone.")
    return Command(verb=verb, argument=argument)


def message(line: str) -> str:
    """The message in a line that is no command."""
    line = line.strip()
    return line[1:] if line.startswith("//") else line


def incoming(text: str, seat: Seat, now: datetime) -> RoutedMessage:
    """A message typed now. It carries its own key as the id that an answer replies to."""
    key = f"{seat.address.key}/{secrets.token_hex(8)}"
    return RoutedMessage(
        key=key,
        address=seat.address,
        author=Author(id=seat.person, name=seat.person),
        text=text,
        sent_at=now,
        position=int(now.timestamp() * 1_000_000),
        reply_to=key,
    )


def _name(what: str, name: str) -> str:
    name = " ".join(cleaned(name).split())
    if not 1 <= len(name) <= _LONGEST_NAME:
        raise UserMistake(f"The name of a {what} has 1 to {_LONGEST_NAME} characters.")
    return name
