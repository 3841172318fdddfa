"""What a model call costs."""

from __future__ import annotations

from core.llm import TokenUsage
from core.llm.pricing import nano_usd


def test_a_known_model_costs_by_token() -> None:
    assert nano_usd("gpt-4o", TokenUsage(input=1000, output=100)) == 3_500_000


def test_cached_tokens_cost_less() -> None:
    assert nano_usd("gpt-4o", TokenUsage(input=1000, cached=400, output=100)) == 3_000_000


def test_more_cached_tokens_than_tokens_are_taken_for_all() -> None:
    usage = TokenUsage(input=1000, cached=4000)
    assert nano_usd("gpt-4o", usage) == nano_usd("gpt-4o", TokenUsage(input=1000, cached=1000))


def test_an_unknown_model_has_no_price() -> None:
    assert nano_usd("moorings-demo (no language model)", TokenUsage(input=1)) is None
