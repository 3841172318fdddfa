"""Text from outside is made harmless, and only that."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.text import cleaned, clipped

ANYTHING = st.text(st.characters(codec=None))


@given(ANYTHING)
def test_what_is_cleaned_can_be_encoded_and_holds_no_control_characters(text: str) -> None:
    clean = cleaned(text)
    clean.encode()
    kinds = {unicodedata.category(each) for each in clean if each not in "\n\t"}
    assert not kinds & {"Cc", "Cs"}


@given(ANYTHING)
def test_cleaning_twice_changes_nothing_more(text: str) -> None:
    assert cleaned(cleaned(text)) == cleaned(text)


@given(st.text(st.characters(exclude_categories=("Cc", "Cs"))))
def test_what_is_harmless_stays_but_for_white_space_around_it(text: str) -> None:
    assert cleaned(text) == text.strip()


def test_line_ends_become_newlines() -> None:
    assert cleaned("one\r\ntwo\rthree\n") == "one\ntwo\nthree"


@pytest.mark.parametrize("text", ["", "\0", "\x1b", "\ud800", " \r\n\t "])
def test_text_of_nothing_visible_is_empty(text: str) -> None:
    assert cleaned(text) == ""


def test_a_short_text_is_not_clipped() -> None:
    assert clipped("five!", 5) == "five!"


def test_a_clipped_text_says_how_much_is_missing() -> None:
    assert clipped("x" * 1_205, 5) == "xxxxx\n[… 1,200 characters left out …]"
