"""Bytes in, bytes out."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from bots.terminal.pipe import lines, write


@pytest.fixture
def ends() -> Iterator[tuple[int, int]]:
    """A pipe: where one reads, and where one writes."""
    reading, writing = os.pipe()
    yield reading, writing
    for end in (reading, writing):
        try:
            os.close(end)
        except OSError:
            continue


async def test_lines_come_one_by_one(ends: tuple[int, int]) -> None:
    reading, writing = ends
    os.write(writing, b"one\ntw")
    came = lines(reading)
    assert await anext(came) == "one"
    os.write(writing, b"o\n")
    assert await anext(came) == "two"
    await came.aclose()


async def test_the_last_line_needs_no_newline(ends: tuple[int, int]) -> None:
    reading, writing = ends
    os.write(writing, b"one\ntwo")
    os.close(writing)
    assert [line async for line in lines(reading)] == ["one", "two"]


async def test_bytes_that_are_no_text_are_replaced(ends: tuple[int, int]) -> None:
    reading, writing = ends
    os.write(writing, b"a\xff\n")
    os.close(writing)
    assert [line async for line in lines(reading)] == ["a�"]


async def test_a_file_can_be_read_as_well(tmp_path: Path) -> None:
    file = tmp_path / "lines"
    file.write_bytes(b"x" * 1_000_000 + b"\nend\n")
    with file.open("rb") as opened:
        assert [len(line) async for line in lines(opened.fileno())] == [1_000_000, 3]


def test_what_is_written_is_harmless(ends: tuple[int, int]) -> None:
    reading, writing = ends
    write(writing, "\x1b[31mred\x1b[0m\n\nend\udcff")
    assert os.read(reading, 100) == b"red\n\nend\n"


def test_a_closed_pipe_is_told(ends: tuple[int, int]) -> None:
    reading, writing = ends
    os.close(reading)
    with pytest.raises(BrokenPipeError):
        write(writing, "text")
