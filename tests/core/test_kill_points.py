"""A test can stand at every place between two effects."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from core import kill_points
from tests.core import programs


@pytest.fixture
def seen() -> Iterator[list[str]]:
    places: list[str] = []
    kill_points.watch(places.append)
    yield places
    kill_points.watch(lambda place: None)


def test_whoever_watches_is_told_each_place(seen: list[str]) -> None:
    kill_points.reach("here")
    kill_points.reach("there")
    assert seen == ["here", "there"]


async def test_a_program_that_nobody_watches_walks_through(tmp_path: Path) -> None:
    program = "from core.kill_points import reach; reach('here'); print('there')"
    ended = await programs.run(program, folder=tmp_path, environment={})
    assert (ended.code, ended.out, ended.err) == (0, "there\n", "")
