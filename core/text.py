"""Text that every database, endpoint and terminal can hold."""

from __future__ import annotations

import re

# Control characters but for the tab and the newline, and surrogates.
_BREAKING = re.compile("[\0-\b\v-\x1f\x7f-\x9f\ud800-\udfff]")
# Unicode's Bidi_Control: what turns the order of the characters that follow
_BIDI_CONTROLS = dict.fromkeys(
    [0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)]
)


def cleaned(text: str) -> str:
    """The text without what breaks others: NUL and control characters, lone surrogates.

    Line ends become newlines; the white space around the text goes.
    """
    if text.isprintable():
        return text.strip()
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return _BREAKING.sub("", text).strip()


def in_written_order(text: str) -> str:
    """The text without bidirectional controls, which let it read otherwise than it is written."""
    return text.translate(_BIDI_CONTROLS)


def clipped(text: str, length: int) -> str:
    """At most `length` characters, saying how many were left out."""
    if len(text) <= length:
        return text
    return f"{text[:length]}\n[… {len(text) - length:,} characters left out …]"


def storable(text: str) -> str:
    """Without what a database refuses: NUL, and halves of characters that were cut apart."""
    if text.isascii():
        return text.replace("\0", "")
    return text.replace("\0", "").encode("utf-8", "replace").decode()
