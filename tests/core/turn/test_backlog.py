"""What is held back after a start, until it was read or for five seconds."""

from __future__ import annotations

import pytest

from core.address import Address
from core.turn import backlog
from core.turn.backlog import Backlog


class Woken:
    """Counts how often it was."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> None:
        self.times += 1


def test_a_platform_is_held_back_until_its_places_are_known_and_each_until_it_was_read() -> None:
    held = Backlog(woken := Woken())
    held.begin()
    held.expect("slack", "discord")
    held.expect("slack/T1/C1", "slack/T1/C2")
    held.knows_all("slack")
    held.has_read(Address.parse("slack/T1/C1"))
    assert set(held.unread) == {"discord", "slack/T1/C2"}
    assert woken.times == 2
    held.is_whole("slack")
    assert held.unread == ("discord",)


def test_what_nobody_expects_wakes_nobody() -> None:
    held = Backlog(woken := Woken())
    held.has_read(Address.parse("slack/T1/C1"))
    held.is_whole("slack")
    assert woken.times == 0


def test_nothing_is_held_back_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backlog, "_SECONDS", 0.0)
    held = Backlog(Woken())
    held.expect("slack")
    assert list(held.unread) == ["slack"]
    held.begin()
    assert list(held.unread) == []


def test_of_very_many_places_the_whole_platform_is_held_back() -> None:
    held = Backlog(Woken())
    held.expect(*(f"slack/T1/C{number}" for number in range(400)))
    assert held.unread == ("slack",)
