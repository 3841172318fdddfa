"""Nothing that a model writes commands the terminal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bots.terminal.harmless import harmless


@pytest.mark.parametrize(
    "text",
    [
        "\x1b[31ma\x1b[0mb",
        "a\x1b]0;a title\x07b",
        "a\x1b]8;;https://example.com\x1b\\b",
        "a\x1bcb",
        "a\x9b2Jb",
        "a\x1bP1;2|x\x1b\\b",
        "a\x00\x08\x7fb",
        "a\udcffb",
        "a\x1b(0b",
        "a\u202e\u2066\u200f\u061cb",
    ],
)
def test_a_sequence_goes_and_the_words_stay(text: str) -> None:
    assert harmless(text) == "ab"


def test_newlines_and_tabs_stay() -> None:
    assert harmless("a\n\tb\r\nc") == "a\n\tb\nc"


def test_a_sequence_without_an_end_takes_no_words_with_it() -> None:
    assert harmless("\x1b]0;the rest") == "0;the rest"


@given(st.text(alphabet="\x1b\x9b\x90[]0;Pm\x07\\a"))
def test_no_escape_is_ever_left(text: str) -> None:
    assert not set(harmless(text)) & {"\x1b", "\x9b", "\x90", "\x07"}
