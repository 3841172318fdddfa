"""The way out to a platform: what every adapter can do."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol, TypeGuard, runtime_checkable

from core.address import Address
from core.messaging.messages import Attachment, Outgoing, Quote


def _no_name(_agent: str) -> int:
    return 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one message of a platform can hold, and how often it may be edited.

    `text_length` is in characters (code points), including the agent's name where one stands
    above each message: `name_length` tells how many it takes, for an agent's name.
    `seconds_between_edits` is None where an answer is not shown while it grows. `takes_files`:
    code or a table that is longer than a message may be handed over whole, and becomes a file.
    `counts_messages`: an answer of more messages than its agent's `max_messages` becomes its first
    part and a file.
    """

    text_length: int
    seconds_between_edits: float | None
    takes_files: bool = False
    name_length: Callable[[str], int] = _no_name
    counts_messages: bool = False

    def length_for(self, agent: str) -> int:
        """How many characters of this agent's answer one message can hold."""
        return self.text_length - self.name_length(agent)


class Adapter(Protocol):
    """Delivers answers to one platform. Every call can be made twice.

    All raise `Transient` for what may work later and `DeliveryRefused` for what will not.
    """

    @property
    def limits(self) -> Limits:
        """What a message can hold here."""
        ...

    def may_preview(self, outgoing: Outgoing) -> bool:
        """Whether a growing answer may be shown so far, now.

        False where that would keep ended answers waiting; a later piece is asked for again.
        """
        ...

    async def post(self, outgoing: Outgoing) -> str:
        """Make a new message and return the platform's id for it."""
        ...

    async def edit(self, message_id: str, outgoing: Outgoing) -> str:
        """Replace the message's text; returns its id, a new one where it had to be made anew."""
        ...

    async def find(self, outgoing: Outgoing) -> str | None:
        """The id of the message that an earlier `post` of the same key made, if it did."""
        ...


@runtime_checkable
class ShowsWork(Protocol):
    """An adapter of a platform that can show that an answer is being worked on."""

    @property
    def working_seconds(self) -> float:
        """For how long the platform shows it, rather too few: then it is to be shown again."""
        ...

    async def working(self, outgoing: Outgoing) -> None:
        """Show it until something is posted there; `outgoing` has no text yet.

        Best effort: raises `Transient` or `DeliveryRefused`, which nobody retries.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A question as it was stored: `key` and `reply_to` as in `RoutedMessage`, `author` by name."""

    key: str
    author: str
    text: str
    reply_to: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptFile:
    """A file as its platform describes it now; `read` gives its first bytes, as many as asked."""

    attachment: Attachment
    read: Callable[[int], Awaitable[bytes]]


@runtime_checkable
class TellsOperator(Protocol):
    """An adapter whose reader runs the agents, and may read what else only the log says."""

    def explain(self, reply_to: str, why: str) -> None:
        """Say why this message gets no answer; a sentence about that is posted afterwards."""
        ...


@runtime_checkable
class QuotesQuestions(Protocol):
    """An adapter of a platform that shows some questions to nobody but who asked."""

    def quoted(self, asked: Asked) -> str:
        """The question in Markdown, to stand above its answer; empty where people see it."""
        ...


@runtime_checkable
class FetchesFiles(Protocol):
    """An adapter of a platform on which messages come with files."""

    async def look_up(self, place: Address, attachment: Attachment) -> KeptFile:
        """Find the file that came with a message at `place`.

        This and reading it raise `FileUnavailable`, `Transient` or `DeliveryRefused`.
        """
        ...


@runtime_checkable
class ReadsThreads(Protocol):
    """An adapter of a platform that tells what was said somewhere while nobody was asked."""

    async def said_in(self, at: Address, *, after: int, before: int) -> list[Quote]:
        """What was said between these positions in a thread, oldest first; of much the newest.

        Of a channel what people said there to each other; of direct messages nothing. Without
        what the bot has said. Raises `Transient` or `DeliveryRefused`.
        """
        ...


def shows_work(adapter: Adapter) -> TypeGuard[ShowsWork]:
    """Whether it is one that `ShowsWork`."""
    return _is_one(adapter, ShowsWork)


def quotes_questions(adapter: Adapter) -> TypeGuard[QuotesQuestions]:
    """Whether it is one that `QuotesQuestions`."""
    return _is_one(adapter, QuotesQuestions)


def reads_threads(adapter: Adapter) -> TypeGuard[ReadsThreads]:
    """Whether it is one that `ReadsThreads`."""
    return _is_one(adapter, ReadsThreads)


_known: dict[tuple[type, type], bool] = {}


def _is_one(adapter: Adapter, way: type) -> bool:
    """Kept by class, whose objects are all alike: `isinstance` looks up all that a protocol has."""
    key = type(adapter), way
    if (is_one := _known.get(key)) is None:
        is_one = _known[key] = isinstance(adapter, way)
    return is_one
