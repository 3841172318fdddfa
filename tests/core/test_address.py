"""An address is a path that is checked, kept as given and looked up from its end."""

from __future__ import annotations

import pytest

from core.address import Address, Readers
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


UNKNOWN, EVERYBODY = Readers.UNKNOWN, Readers.EVERYBODY
CHANNEL, THREAD = Readers.CHANNEL, Readers.THREAD


@pytest.mark.parametrize(
    ("path", "readers", "scope"),
    [
        ("discord/1/2/3", EVERYBODY, "discord/1/2"),
        ("discord/1/2/3", CHANNEL, "discord/1/2"),
        ("discord/1/2/3", THREAD, "discord/1/2/3"),
        ("discord/1/2/3", UNKNOWN, "discord/1/2/3"),
        ("discord/1/2/3", "of a later version", "discord/1/2/3"),
        ("discord/1/2/3/@4", THREAD, "discord/1/2/3"),
        ("discord/1/2/@4", EVERYBODY, "discord/1/2"),
        ("discord/1/2/@4", UNKNOWN, "discord/1/2"),
        ("slack/T1/C1/17.5", CHANNEL, "slack/T1/C1"),
        ("slack/T1/C1/17.5", UNKNOWN, "slack/T1/C1"),
    ],
)
def test_a_private_thread_has_a_memory_of_its_own(path: str, readers: str, scope: str) -> None:
    assert Address.parse(path, readers).scope == scope
    assert Address.parse(path, readers).channel.key == "/".join(path.split("/")[:3])


def test_who_can_read_there_makes_no_other_address() -> None:
    assert Address.parse("slack/T1/C1", CHANNEL) == Address.parse("slack/T1/C1")
    assert Address.parse("slack/T1/C1", CHANNEL).below("17.5").readers is CHANNEL


@pytest.mark.parametrize(
    ("told", "before", "known"),
    [
        (EVERYBODY, UNKNOWN, EVERYBODY),
        (CHANNEL, EVERYBODY, CHANNEL),
        (EVERYBODY, CHANNEL, CHANNEL),
        (EVERYBODY, THREAD, THREAD),
        (UNKNOWN, EVERYBODY, EVERYBODY),
        (UNKNOWN, CHANNEL, CHANNEL),
        (THREAD, UNKNOWN, THREAD),
    ],
)
def test_what_turns_private_is_private_from_then_on(
    told: Readers, before: Readers, known: Readers
) -> None:
    assert told.since(before) is known


def test_talk_in_private_threads_is_not_for_their_channel() -> None:
    assert Address.parse("discord/1/2", EVERYBODY).readers_below == (EVERYBODY, CHANNEL)
    assert THREAD in Address.parse("discord/1/2/3", THREAD).readers_below
    assert UNKNOWN in Address.parse("slack/T1/C1").readers_below


def test_a_terminal_delivers_only_its_own_room() -> None:
    assert Address.parse("terminal/main").queue == "terminal/main"


def test_a_platform_delivers_everywhere() -> None:
    assert Address.parse("slack/T1/C1").queue == "slack"
