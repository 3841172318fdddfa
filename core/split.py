"""Cuts a Markdown answer into messages that a platform can hold."""

from __future__ import annotations

import re

_FENCE = re.compile(r"^ {0,3}(`{3,16}(?=[^`]*$)|~{3,16}(?!~))(.*)$")


def parts(text: str, limit: int) -> list[str]:
    """At least one part, none longer than `limit` characters.

    Cuts between lines, and in a line only where it alone is too long. A code fence that a
    cut would break is closed in one part and opened again in the next.
    """
    if len(text) <= limit:
        return [text]
    whole: list[str] = []
    lines: list[str] = []
    fence = ""
    for line in _short_lines(text, limit // 2):
        after = _fence_after(line, fence)
        if lines and len("\n".join([*lines, line, *_closing(after)])) > limit:
            whole.append("\n".join([*lines, *_closing(fence)]))
            lines = _opening(fence, limit // 4)
        lines.append(line)
        fence = after
    return [*whole, "\n".join(lines)]


def _fence_after(line: str, fence: str) -> str:
    """The line that opened the fence which is open after `line`; empty if none is."""
    found = _FENCE.match(line)
    if not found:
        return fence
    if not fence:
        return line
    closes = found[1].startswith(_marker(fence)) and not found[2].strip()
    return "" if closes else fence


def _closing(fence: str) -> list[str]:
    return [_marker(fence)] if fence else []


def _opening(fence: str, longest: int) -> list[str]:
    """The fence as it was opened, or without what stands behind it if that is very long."""
    return [fence] if 0 < len(fence) <= longest else _closing(fence)


def _marker(fence: str) -> str:
    found = _FENCE.match(fence)
    return found[1] if found else ""


def _short_lines(text: str, limit: int) -> list[str]:
    return [
        line[start : start + limit]
        for line in text.split("\n")
        for start in range(0, max(len(line), 1), limit)
    ]
