"""What a model call costs, from the price list that comes with genai-prices."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from core.llm import TokenUsage
from core.llm.late import late

if TYPE_CHECKING:
    from genai_prices import Usage
    from genai_prices.types import PriceCalculation

_NANO_USD = 1_000_000_000


def nano_usd(model: str, usage: TokenUsage) -> int | None:
    """The price in 1e-9 USD; None if the list does not know the model."""
    calc_price: Callable[[Usage, str], PriceCalculation] = late("genai_prices", "calc_price")
    tokens: type[Usage] = late("genai_prices", "Usage")
    used = tokens(
        input_tokens=usage.input,
        cache_read_tokens=min(usage.cached, usage.input),  # the list insists; some endpoints differ
        output_tokens=usage.output,
    )
    try:
        return int(calc_price(used, model).total_price * _NANO_USD)
    except LookupError:
        return None
