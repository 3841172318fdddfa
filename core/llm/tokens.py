"""How long a text is for a model, by estimate, and how it becomes shorter."""

from __future__ import annotations

BYTES_A_TOKEN = 3.5  # English has about 4, code 3, Chinese 3: rather too many than too few
_OVERHEAD = 4  # what role and separators of one message cost
_NOTE = 48  # bytes of what stands in place of what is left out


def estimate(text: str) -> int:
    """Tokens of one message, within about a quarter; an endpoint's own count may differ.

    Exact counts need each vendor's tokenizer, fetched at run time; a prompt that turns out
    too long all the same is cut down when the endpoint says so.
    """
    length = len(text) if text.isascii() else len(text.encode())
    return int(length / BYTES_A_TOKEN) + _OVERHEAD


def shortened(text: str, tokens: int) -> str:
    """The text; where it has more than `tokens`, without its middle, saying how much that was."""
    if estimate(text) <= tokens:
        return text
    room = max(int((tokens - _OVERHEAD) * BYTES_A_TOKEN) - _NOTE, 0)
    content, last = text.encode(), room // 3
    begin = content[: room - last].decode(errors="ignore")
    end = content[len(content) - last :].decode(errors="ignore")
    left_out = len(text) - len(begin) - len(end)
    return f"{begin}\n[… {left_out:,} characters left out …]\n{end}".strip()
