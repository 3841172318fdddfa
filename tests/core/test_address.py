"""An address is a path that is checked, kept as given and looked up from its end."""

from __future__ import annotations

import pytest

from core.address import Address
from core.errors import UserMistake


@pytest.mark.parametrize("path", ["slack/T1/C1", "slack/T1/C1/17.5", "terminal/main", "python/x y"])
def test_an_address_reads_back_as_it_was_written(path: str) -> None:
    address = Address.parse(path)
    assert (address.key, str(address)) == (path, path)


@pytest.mark.parametrize(
    "path",
    ["", "slack", "slack/", "slack//C1", "irc/x", "/x", "python/" + "x" * 190],
)
def test_what_is_no_address_is_a_mistake_of_the_person(path: str) -> None:
    with pytest.raises(UserMistake, match="is not an address"):
        Address.parse(path)


@pytest.mark.parametrize("room", ["a\0b", "a\nb", "\ud800", "\x1b[2J"])
def test_a_room_that_no_database_or_terminal_can_hold_is_a_mistake(room: str) -> None:
    with pytest.raises(UserMistake, match="is not an address"):
        Address.parse(f"python/{room}")


def test_bindings_are_looked_for_from_the_longest_path_up() -> None:
    assert Address.parse("slack/T1/C1").prefixes == ("slack/T1/C1", "slack/T1", "slack")


def test_a_thread_shares_the_memory_of_its_channel() -> None:
    assert Address.parse("slack/T1/C1/17.5").scope == Address.parse("slack/T1/C1").scope


def test_a_terminal_delivers_only_its_own_room() -> None:
    assert Address.parse("terminal/main").queue == "terminal/main"


def test_a_platform_delivers_everywhere() -> None:
    assert Address.parse("slack/T1/C1").queue == "slack"
