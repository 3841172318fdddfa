"""A text's length in tokens is estimated rather too high than too low."""

from __future__ import annotations

import pytest

from core.tokens import estimate


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
