"""Growing answers share the edits that a platform takes."""

from __future__ import annotations

import pytest

from bots.previews import Previews


def test_what_has_ended_leaves_nothing_behind() -> None:
    previews = Previews(1.2)
    for number in range(100):
        place, key = f"thread {number}", f"k{number}"
        assert previews.is_due(place, key, "text")
        previews.show(place, key, "text")
        assert previews.growing(place) == 1
        previews.end(place, key)
    assert not previews._shown


def test_what_ended_elsewhere_is_forgotten_wherever_it_was_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    previews = Previews(1.2)
    for number in range(100):
        previews.show(f"thread {number}", f"k{number}", "text")
    monkeypatch.setattr("bots.previews._FORGOTTEN_AFTER", -1.0)
    previews.growing("another")
    assert not previews._shown


def test_only_what_is_new_is_shown() -> None:
    previews = Previews(0.0)
    previews.show("thread", "k1", "One")
    assert not previews.is_due("thread", "k1", "One")
    assert previews.is_due("thread", "k1", "One two")
    assert previews.is_due("thread", "k2", "One")
