"""What commands find out: frozen values that every platform words for itself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from core.config.binding import Listen, SharedBy


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryEntry:
    """One entry of a history, as people see it."""

    author: str
    text: str
    at: datetime
    is_agent: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RememberedFact:
    """A fact with its source; `before` is what held until then, empty if nothing did.

    `learned_from` are the words that it was learned from, None if it was told.
    """

    id: int
    text: str
    said_by: str
    at: datetime
    learned_from: str | None = None
    before: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnFact:
    """A fact that a person has told an agent somewhere."""

    id: int
    text: str
    agent: str
    scope: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """Who answers at an address, to what, and what there is to do.

    `conversation` is None where the platform's default holds.
    """

    agent: str
    model: str
    listen: Listen
    conversation: SharedBy | None
    waiting: int
    answering: int
    facts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Everything behind one answer; `nano_usd` is None where no price is known.

    `failures` counts its failed deliveries, `given_up` its messages that never appeared.
    """

    turn: int
    agent: str
    revision: str
    state: str
    failure: str | None
    attempts: int
    failures: int
    given_up: int
    models: tuple[str, ...]
    tools: tuple[str, ...]
    input_tokens: int
    output_tokens: int
    nano_usd: int | None
    ended_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationInfo:
    """A conversation in a list of them."""

    agent: str
    address: str
    messages: int
    last_at: datetime | None
