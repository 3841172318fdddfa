"""What can happen to messages of a server besides that somebody writes one."""

from __future__ import annotations

from dataclasses import dataclass

from core.messaging.messages import Heard


@dataclass(frozen=True, slots=True, kw_only=True)
class Edited:
    """A message says something else now."""

    heard: Heard


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawn:
    """The message with this key was deleted."""

    key: str


Happening = Heard | Edited | Withdrawn
