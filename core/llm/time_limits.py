"""How long a model is waited for."""

from __future__ import annotations

from dataclasses import dataclass

_QUICK = {None, "none", "minimal", "low"}  # efforts; who thinks more may be silent for minutes
_FIRST_EVENT_SECONDS = 30
_THINKING_SECONDS = 180


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """In seconds: for a whole call, and for each wait inside it."""

    whole: float = 300
    wait: float = 60

    def wait_at(self, effort: str | None) -> float:
        """How many seconds may pass between two events."""
        return self.wait if effort in _QUICK else max(self.wait, _THINKING_SECONDS)


def first_event_seconds(effort: str | None) -> float:
    """After how many seconds without any event another model is asked instead."""
    return _FIRST_EVENT_SECONDS if effort in _QUICK else _THINKING_SECONDS
