"""Takes from a text what would command the terminal instead of being read."""

from __future__ import annotations

import re

from core.text import cleaned, in_written_order

# CSI …, then OSC … and the other strings up to their BEL or ST, then two-character sequences
_SEQUENCE = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d\x9e\x9f])[^\x07\x1b\x80-\x9f]*(?:\x07|\x1b\\|\x9c)"
    r"|\x1b[ -/]*[0-~]"
)


def harmless(text: str) -> str:
    """The text without control sequences, in the order it was written; newlines and tabs stay."""
    return cleaned(in_written_order(_SEQUENCE.sub("", text)))
