"""core/turn/shares.py: how channels share the slots of a process."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.turn.shares import Shares


class Floods:
    """Channels with no end of work, and the slots that they hold."""

    def __init__(self, slots: int) -> None:
        self.shares = Shares(slots)
        self.held: list[str] = []

    def come(self, *channels: str) -> None:
        """As many slots are taken as may be, the first channel's work being the oldest."""
        while limit := self.shares.at_once:
            waiting = [channel for channel in channels if channel not in self.shares.full]
            if not waiting:
                return
            for _ in range(limit):
                self.shares.take(waiting[0])
                self.held.append(waiting[0])

    def end_one(self, channel: str) -> None:
        """A turn there ends."""
        self.held.remove(channel)
        self.shares.give_back(channel)

    def of(self, channel: str) -> int:
        """How many it holds."""
        return self.held.count(channel)


@pytest.mark.parametrize(("slots", "most"), [(1, 1), (2, 1), (3, 2), (4, 3), (8, 6), (32, 24)])
def test_one_channel_alone_gets_three_quarters(slots: int, most: int) -> None:
    floods = Floods(slots)
    floods.come("a")
    assert floods.of("a") == most


def test_whoever_comes_after_a_flood_finds_a_slot() -> None:
    floods = Floods(32)
    floods.come("a")
    floods.come("a", "b")
    floods.come("a", "b", "c")
    assert (floods.of("a"), floods.of("b"), floods.of("c")) == (24, 6, 1)
    assert floods.shares.at_once == 1
    assert "d" not in floods.shares.full


def test_floods_get_equal_shares_as_turns_end() -> None:
    floods = Floods(32)
    floods.come("a")
    for _ in range(24):
        floods.end_one(floods.held[0])
        floods.come("a", "b", "c")
    assert sorted(floods.of(channel) for channel in "abc") == [9, 9, 10]


def test_a_slot_that_is_given_back_goes_to_a_channel_that_has_none() -> None:
    floods = Floods(8)
    channels = [f"c{number}" for number in range(8)]
    floods.come(*channels)
    for channel in channels:
        floods.come(channel)
    assert floods.shares.at_once == 0
    floods.end_one(channels[0])
    floods.come(channels[0], "new")
    assert floods.of("new") == 1


def test_channels_with_little_to_do_are_nowhere_left_out() -> None:
    shares = Shares(32)
    for number in range(8):
        shares.take(f"c{number}")
    assert shares.full == []
    assert shares.at_once > 8


@given(st.integers(1, 40), st.lists(st.integers(0, 5), max_size=200))
def test_there_are_never_more_turns_than_slots_and_a_free_one_is_for_whoever_has_none(
    slots: int, steps: list[int]
) -> None:
    floods = Floods(slots)
    for step in steps:
        floods.come(str(step))
        if step % 2 and floods.held:
            floods.end_one(floods.held[step % len(floods.held)])
        assert len(floods.held) <= slots
        assert bool(floods.shares.at_once) == (len(floods.held) < slots)
