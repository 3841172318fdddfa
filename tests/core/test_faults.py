"""A test can stand at every place between two effects."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from core import faults


@pytest.fixture
def seen() -> Iterator[list[str]]:
    places: list[str] = []
    faults.watch(places.append)
    yield places
    faults.watch(lambda place: None)


def test_whoever_watches_is_told_each_place(seen: list[str]) -> None:
    faults.reach("here")
    faults.reach("there")
    assert seen == ["here", "there"]


def test_nobody_needs_to_watch() -> None:
    faults.reach("here")
