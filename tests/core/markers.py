"""A model endpoint that says which markers it was shown, and agents that ask it."""

from __future__ import annotations

import re

from tests.peers.endpoint import Body

_MARKER = re.compile(r"\bm\d+x\d+\b")


def marked(agent: int, room: int) -> str:
    """The marker of one conversation."""
    return f"m{agent}x{room}"


def markers_in(body: Body) -> str:
    """All markers of a prompt, each once, in order."""
    said = " ".join(message["content"] or "" for message in body["messages"])
    return " ".join(dict.fromkeys(_MARKER.findall(said))) or "none"
