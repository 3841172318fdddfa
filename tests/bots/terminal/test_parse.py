"""What a typed line means."""

from __future__ import annotations

from datetime import datetime

import pytest

from bots.terminal.parse import Command, Seat, Verb, command, incoming, message
from core.errors import UserMistake


def test_a_line_is_a_message() -> None:
    assert command("hello / there") is None
    assert message("  hello ") == "hello"


def test_a_command_has_a_verb_and_an_argument() -> None:
    assert command("/use  billing ") == Command(verb=Verb.USE, argument="billing")


@pytest.mark.parametrize("line", ["/reset x", "/reset support", "/quit now"])
def test_a_command_that_takes_nothing_is_not_done_with_something_behind_it(line: str) -> None:
    with pytest.raises(UserMistake, match=f"{line.split()[0]} takes nothing behind it"):
        command(line)


def test_two_slashes_begin_a_message() -> None:
    assert command("//etc/hosts") is None
    assert message("//etc/hosts") == "/etc/hosts"


def test_an_unknown_command_is_named_with_what_was_meant() -> None:
    with pytest.raises(UserMistake, match="no command /agent; did you mean '/agents'"):
        command("/agent")


def test_an_unknown_command_like_no_other_gets_the_list() -> None:
    with pytest.raises(UserMistake, match="choose from: '/agents'"):
        command("/xyzzy")


def test_each_message_has_a_key_of_its_own_and_a_place_in_time(now: datetime) -> None:
    seat = Seat.taken("main", "ana")
    first = incoming("hi", seat, now)
    second = incoming("hi", seat, now)
    assert first.key.startswith("terminal/main/")
    assert first.key != second.key
    assert first.position == int(now.timestamp()) * 1_000_000
    assert first.reply_to == first.key


@pytest.mark.parametrize("room", ["", " \x00", "x" * 101, "a//b"])
def test_a_room_needs_a_name_that_can_be_stored(room: str) -> None:
    with pytest.raises(UserMistake):
        Seat.taken(room, "ana")


def test_names_lose_what_terminals_and_databases_cannot_hold() -> None:
    seat = Seat.taken("ma\x1bin", "a\udcffna\n")
    assert seat.address.key == "terminal/main"
    assert seat.person == "ana"
