"""What a model call costs: by the agents file, else by the price list of genai-prices."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from core.lazy import lazy
from core.llm import TokenUsage
from core.llm.demo import NAME as DEMO

if TYPE_CHECKING:
    from genai_prices import Usage
    from genai_prices.types import PriceCalculation

_NANO_USD = 1_000_000_000
_A_MILLION = 1_000_000
_WRITING = 1.25  # times the price of input
_Dollars = Annotated[float, Field(ge=0, le=1_000_000)]


@dataclass(
    frozen=True,
    slots=True,
    kw_only=True,
    config=ConfigDict(extra="forbid", allow_inf_nan=False, hide_input_in_errors=True),
)
class Price:
    """US dollars per million tokens.

    What the provider's cache serves costs `input` if not said. What is written to it costs a fourth
    more than `input`, as with everybody who counts it.
    """

    input: _Dollars
    output: _Dollars
    cached: _Dollars | None = None

    def nano_usd(self, usage: TokenUsage) -> int:
        """In 1e-9 USD."""
        cached = min(usage.cached, usage.input)
        dollars = (
            (usage.input - cached + _written(usage) * (_WRITING - 1)) * self.input
            + cached * (self.input if self.cached is None else self.cached)
            + usage.output * self.output
        ) / _A_MILLION
        return round(dollars * _NANO_USD)


class Prices:
    """Names are found as they are, and without a vendor's name in front."""

    def __init__(self, own: Mapping[str, Price]) -> None:
        """`own` are those of the agents file."""
        self._own = {**{_bare(name): price for name, price in own.items()}, **own}

    def nano_usd(self, model: str, usage: TokenUsage) -> int | None:
        """The price of a call in 1e-9 USD; None if nothing knows the model."""
        price = self._own.get(model) or self._own.get(_bare(model))
        if price:
            return price.nano_usd(usage)
        if model == DEMO:  # in no list; reading it takes a tenth of a second
            return None
        found = _listed(model, usage)
        return _listed(_bare(model), usage) if found is None and _bare(model) != model else found

    def knows(self, model: str) -> bool:
        """Whether there is a price."""
        return self.nano_usd(model, TokenUsage()) is not None


def uncountable(model: str) -> str:
    """Why no daily_usd can be kept with this model, and the two ways out."""
    table = f"[prices.{json.dumps(model)}]"
    return (
        f"cannot be kept, since nothing knows what {model!r} costs: add {table} with input, cached "
        "and output in dollars per million tokens, or leave daily_usd out"
    )


def _written(usage: TokenUsage) -> int:
    return min(usage.written, max(usage.input - usage.cached, 0))


def _bare(model: str) -> str:
    """`qwen3` of `vendor/qwen3`."""
    return model.rpartition("/")[2]


def _listed(model: str, usage: TokenUsage) -> int | None:
    calc_price: Callable[[Usage, str], PriceCalculation] = lazy("genai_prices", "calc_price")
    tokens: type[Usage] = lazy("genai_prices", "Usage")
    used = tokens(
        input_tokens=usage.input,
        cache_read_tokens=min(usage.cached, usage.input),  # the list insists; some endpoints differ
        cache_write_tokens=_written(usage),
        output_tokens=usage.output,
    )
    try:
        return int(calc_price(used, model).total_price * _NANO_USD)
    except LookupError:
        return None
