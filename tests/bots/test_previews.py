"""Growing answers share the edits that a platform takes."""

from __future__ import annotations

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
