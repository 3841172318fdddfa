"""Which models an endpoint lists, and until when it has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime

import openai
from openai import AsyncOpenAI

from core.llm.untrusted import list_of, mapping_of, text_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """The names, and the last days of those that will be shut down."""

    names: tuple[str, ...]
    shutdowns: Mapping[str, date]


async def listing(client: AsyncOpenAI) -> Listing | None:
    """What `GET /models` says; None where there is no such thing, or nobody answers."""
    try:
        found = await client.get("/models", cast_to=object)
    except (openai.APIError, ValueError):  # some answer with a page
        return None
    models = [mapping_of(each) for each in list_of(mapping_of(found).get("data"))]
    names = {text_of(each.get("id")): _date(each.get("shutdown_date")) for each in models}
    names.pop("", None)
    return Listing(
        names=tuple(names), shutdowns={name: day for name, day in names.items() if day is not None}
    )


def _date(value: object) -> date | None:
    """A date in words, or in seconds since 1970."""
    try:
        if isinstance(value, str):
            return datetime.fromisoformat(value).date()
        if isinstance(value, int | float):
            return datetime.fromtimestamp(value, UTC).date()
    except (ValueError, OverflowError, OSError):
        return None
    return None
