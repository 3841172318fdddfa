"""A text's length in tokens is estimated rather too high than too low."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.llm.tokens import estimate, shortened


@pytest.mark.parametrize(
    ("text", "real"),
    [
        ("The quick brown fox jumps over the lazy dog. " * 20, 200),
        ("def total(prices):\n    return sum(price.amount for price in prices)\n" * 20, 300),
        ("项目的截止日期是三月十五日。" * 20, 220),
    ],
)
def test_an_estimate_is_not_far_from_what_a_tokenizer_counts(text: str, real: int) -> None:
    assert 0.75 * real < estimate(text) < 1.6 * real


def test_an_empty_message_costs_something_too() -> None:
    assert estimate("") > 0


@given(st.text(max_size=400), st.integers(20, 120))
def test_a_shortened_text_has_no_more_than_it_may(text: str, tokens: int) -> None:
    shorter = shortened(text, tokens)
    assert estimate(shorter) <= tokens
    assert (shorter == text) == (estimate(text) <= tokens)


def test_a_shortened_text_keeps_begin_and_end_and_says_what_is_missing() -> None:
    shorter = shortened("begin" + "ä" * 10_000 + "end", 40)
    assert shorter == f"begin{'ä' * 23}\n[… 9,966 characters left out …]\n{'ä' * 11}end"
