"""How long a text is for a model, by estimate."""

from __future__ import annotations

_BYTES_A_TOKEN = 3.5  # English has about 4, code 3, Chinese 3: rather too many than too few
_OVERHEAD = 4  # what role and separators of one message cost


def estimate(text: str) -> int:
    """Tokens of one message, within about a quarter; an endpoint's own count may differ.

    Exact counts need each vendor's tokenizer, fetched at run time; a prompt that turns out
    too long all the same is cut down when the endpoint says so.
    """
    return int(len(text.encode()) / _BYTES_A_TOKEN) + _OVERHEAD
