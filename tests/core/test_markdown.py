"""Markdown, block by block, with every character where it was."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.markdown import Kind, blocks

PIECES = [
    "```",
    "~~~",
    "````",
    "py",
    "- ",
    "1. ",
    "> ",
    "  ",
    "    ",
    "\n",
    "\n\n",
    "|",
    "---",
    "#",
]
B, C, H, T, W = Kind.BLANK, Kind.CODE, Kind.HEADING, Kind.TABLE, Kind.WORDS


@given(st.lists(st.sampled_from([*PIECES, "a", "**b**", "\r", "\0", "\t", "<p>", "[x]: y"])))
def test_every_character_is_kept(pieces: list[str]) -> None:
    text = "".join(pieces)
    assert "\n".join(line for block in blocks(text) for line in block.lines) == text


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("", [B]),
        ("one\ntwo\n\nthree", [W, B, W]),
        ("# One\ntwo", [H, W]),
        ("**One**\ntwo\n**Three:**\nfour\n**five** six", [H, W, H, W]),
        ("- one\n  more\n- two\n  1. three", [W, W, W]),
        ("one\n```\n# two\n\n| three |\n```\nfour", [W, C, W]),
        ("one\n| a | b |\n|---|---|\n| 1 | 2 |\nafter", [W, T, W]),
        ("| a | b |\n|---|\n| 1 | 2 |", [W]),
        ("<p>\n```\nx\n```", [W, C]),
        ("one\n---\ntwo", [W, W, W]),
        ("[one]: two\nthree", [W]),
        ("    one\n    two", [W]),
        ("- one\n\n  ```\n  two\n  ```\n- three", [W, B, C, W]),
        ("1. one\n\n    ```\n    | a | b |\n    |---|---|\n    | 1 | 2 |\n    ```", [W, B, C]),
        ("- one\n  | a | b |\n  |---|---|\n  | 1 | 2 |", [W, T]),
    ],
)
def test_a_text_is_read_as_chats_show_it(text: str, kinds: list[Kind]) -> None:
    assert [block.kind for block in blocks(text)] == kinds


@pytest.mark.parametrize(
    ("text", "fence", "indent", "content"),
    [
        ("```py\nx = 1\n\n```", "```", "", "x = 1\n"),
        ("~~~~ py\nx\n~~~\n~~~~", "~~~~", "", "x\n~~~"),
        ("- ```py\n  x\n  ```", "```", "  ", "x"),
        ("> ```py\n> x\n> ```", "```", "> ", "x"),
        ("1. > ```py\n   > x\n   > ```", "```", "   > ", "x"),
    ],
)
def test_code_is_found_wherever_it_stands(text: str, fence: str, indent: str, content: str) -> None:
    [code] = blocks(text)
    assert (code.kind, code.fence, code.indent, code.content) == (C, fence, indent, content)
    assert code.info in {"py", ""}
    assert code.is_closed
    assert text.endswith(code.closing)


@pytest.mark.parametrize(
    "text", ["```", "```\n", "```\nx", "```\nx\n", "````\nx\n```", "> ```\n> x", "```\nx\n    ```"]
)
def test_code_that_nothing_ends_is_open(text: str) -> None:
    assert not blocks(text)[0].is_closed


def test_a_heading_has_its_level() -> None:
    assert [block.level for block in blocks("# One\n\n#### Four ##\n\n**None**")] == [1, 0, 4, 0, 0]
