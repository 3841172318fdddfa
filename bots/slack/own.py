"""What is this app's own in Slack: by it its messages are told from those of other apps."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Own:
    """What is this app's own in Slack, whichever workspace tells of it.

    Two workspaces tell of a channel that they share: `home` is the one by which its messages are
    known, so that each has one key. `bots` are the ids of its bots in all of them: without these
    nobody can tell its messages from those of other apps.
    """

    home: str = ""
    bots: frozenset[str] = frozenset()
