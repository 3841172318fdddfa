"""What crosses the border to a platform: a message in, an answer out."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from core.address import Address

# What somebody said who wrote to the bot, and nothing that can be read.
NO_WORDS = "[a mention without words]"
UNREADABLE = "[a message without anything that I can read]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Author:
    """Who wrote: the platform's id, and the name that people see.

    `roles` are the ids of theirs, where the platform tells them with what they wrote; None: it
    has to be asked.
    """

    id: str
    name: str
    roles: frozenset[str] | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A file that came with a message: how its platform knows it, not what is in it.

    A platform is asked for it by its `id`, or keeps it at `url`. `size` is in bytes, `kind` the
    media type that the platform gives, empty where it has to be asked. `unavailable` is why nobody
    can read it, where that is known: the end of a sentence that begins with the file.
    """

    name: str
    kind: str
    size: int
    id: str = ""
    url: str = ""
    unavailable: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """What somebody said before that a message refers to; without an author it is gone.

    Its author has no id where the platform does not tell who said it. `forwards` are the messages
    of others that it holds.
    """

    author: Author | None
    text: str = ""
    attachments: tuple[Attachment, ...] = ()
    forwards: tuple[Quote, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformMessage:
    """One message of a channel, before anybody knows who answers it.

    `place` is the channel without the thread, with the readers that the message has; `thread` the
    thread it stands in, `opens` the thread that an answer to it would open, None where it opens
    none, as a command does not.
    `reply_to` is what an answer has to be given to stand beside it, `reply_in` to stand in the
    thread that it opens. `text` is without the mention of the bot. `agent` was named beside it,
    as by a command; `answers` is the platform's id of the bot's message that it replies to.
    `is_for_others`: it mentions somebody else, or replies to one. `quotes` is what it refers to,
    `forwards` what it holds that others said, where that does not stand in its text.
    `is_by_app`: an app or a workflow wrote it, not a person.
    """

    key: str
    place: Address
    thread: str | None
    opens: str | None
    author: Author
    text: str
    sent_at: datetime
    position: int
    is_direct: bool
    is_mention: bool
    reply_to: str | None = None
    reply_in: str | None = None
    attachments: tuple[Attachment, ...] = ()
    agent: str | None = None
    answers: str | None = None
    is_for_others: bool = False
    is_by_app: bool = False
    quotes: tuple[Quote, ...] = ()
    forwards: tuple[Quote, ...] = ()

    @property
    def stands_at(self) -> Address:
        """The thread, or the channel outside of one."""
        return self.place.below(self.thread) if self.thread else self.place


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutedMessage:
    """One message for an agent at an address, with all that has to be stored of it.

    `key` is the platform's own identity of the message, never that of an envelope, so that a
    second delivery has the same one. `position` orders the messages of an address as the
    platform does. `reply_to` is what an answer to it has to be given to stand at the right place: a
    thread, a message, whatever the platform's adapter knows. `thread` is the key of the one that
    it stands in or opens, whatever history it belongs to.
    """

    key: str
    address: Address
    author: Author
    text: str
    sent_at: datetime
    position: int
    reply_to: str | None = None
    attachments: tuple[Attachment, ...] = ()
    thread: str | None = None
    quotes: tuple[Quote, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """One visible message of an answer.

    `key` is stable over every try, so that an adapter can give it to the platform and find
    the message again by it. `agent` is the name it appears under, `reply_to` what it answers,
    as `RoutedMessage` was given it. `is_final` is False while the answer is still growing. At
    `tried_at` it was last about to be posted, by whichever process; None: never yet.
    `asked_by` is the platform's id of who asked, known while the answer grows. `is_notice`: it
    says why the answer does not grow.
    A long answer has several messages: `is_first` and `is_last` tell which of them this is, and
    `follows` is the platform's id of the one before, set where this one has to be found.
    """

    key: str
    address: Address
    agent: str
    text: str
    reply_to: str | None
    is_final: bool
    is_first: bool = True
    is_last: bool = True
    follows: str | None = None
    tried_at: datetime | None = None
    asked_by: str | None = None
    is_notice: bool = False
