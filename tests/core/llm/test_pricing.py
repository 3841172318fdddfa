"""What a model call costs."""

from __future__ import annotations

import pytest

from core.llm import TokenUsage
from core.llm.pricing import Price, Prices

LIST = Prices({})
OWN = Prices(
    {"qwen3": Price(input=0.10, cached=0.01, output=0.50), "v/other": Price(input=1, output=2)}
)


def test_a_model_of_the_list_costs_by_token() -> None:
    assert LIST.nano_usd("gpt-4o", TokenUsage(input=1000, output=100)) == 3_500_000


def test_cached_tokens_cost_less() -> None:
    assert LIST.nano_usd("gpt-4o", TokenUsage(input=1000, cached=400, output=100)) == 3_000_000


def test_what_is_written_to_the_cache_costs_a_fourth_more() -> None:
    usage = TokenUsage(input=1_000_000, cached=400_000, written=500_000)
    plain = TokenUsage(input=1_000_000, cached=400_000)
    of_list = LIST.nano_usd("gpt-6-luna", usage), LIST.nano_usd("gpt-6-luna", plain)
    assert of_list == (153_000_000, 128_000_000)
    assert OWN.nano_usd("qwen3", usage) == 76_500_000


def test_more_written_tokens_than_are_left_are_taken_for_those() -> None:
    usage = TokenUsage(input=1000, cached=400, written=9000)
    for prices, model in ((LIST, "gpt-6-luna"), (OWN, "qwen3")):
        assert prices.nano_usd(model, usage) == prices.nano_usd(
            model, TokenUsage(input=1000, cached=400, written=600)
        )


def test_more_cached_tokens_than_tokens_are_taken_for_all() -> None:
    usage = TokenUsage(input=1000, cached=4000)
    all_of_it = TokenUsage(input=1000, cached=1000)
    for prices, model in ((LIST, "gpt-4o"), (OWN, "qwen3")):
        assert prices.nano_usd(model, usage) == prices.nano_usd(model, all_of_it)


@pytest.mark.parametrize("name", ["openai/gpt-4o", "azure/openai/gpt-4o"])
def test_a_vendors_name_in_front_of_a_listed_model_is_no_matter(name: str) -> None:
    usage = TokenUsage(input=1000, output=100)
    assert LIST.nano_usd(name, usage) == LIST.nano_usd("gpt-4o", usage)


def test_an_unknown_model_has_no_price() -> None:
    assert LIST.nano_usd("moorings-demo (no language model)", TokenUsage(input=1)) is None
    assert not LIST.knows("qwen3")


def test_the_agents_file_says_what_a_model_costs() -> None:
    usage = TokenUsage(input=1_000_000, cached=400_000, output=100_000)
    assert OWN.nano_usd("qwen3", usage) == 60_000_000 + 4_000_000 + 50_000_000


@pytest.mark.parametrize("name", ["vendor/qwen3", "qwen3", "v/other", "other"])
def test_a_price_of_the_agents_file_holds_with_and_without_the_vendors_name(name: str) -> None:
    assert OWN.knows(name)


def test_what_is_cached_costs_as_much_as_input_where_nothing_is_said() -> None:
    usage = TokenUsage(input=1_000_000, cached=500_000)
    assert OWN.nano_usd("other", usage) == 1_000_000_000


def test_the_agents_file_wins_over_the_list() -> None:
    own = Prices({"gpt-4o": Price(input=0, output=0)})
    assert own.nano_usd("gpt-4o", TokenUsage(input=1000)) == 0
