"""What Slack tells of: messages, edits, deletions, commands, buttons."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from bots.slack.markup import mentioned
from bots.slack.quotes import named_in
from core.address import Address
from core.messaging.messages import Author, PlatformMessage, Quote


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A message that somebody wrote, in which people are ids as yet, and the text is markup."""

    unnamed: PlatformMessage

    @property
    def people(self) -> set[str]:
        """The ids of those whose names it needs."""
        told = {*mentioned(self.unnamed.text), *named_in(self.unnamed.forwards)}
        return told if self.unnamed.is_by_app else {self.unnamed.author.id, *told}


@dataclass(frozen=True, slots=True, kw_only=True)
class Edited:
    """A message says something else now."""

    said: Said
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawn:
    """The message with this key was deleted."""

    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnedPrivate:
    """Only members can read this channel from now on."""

    place: Address


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeOpened:
    """Somebody looks at the app's Home tab; `direct` is the channel of their direct messages."""

    team: str
    user: str
    direct: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatOpened:
    """Somebody looks at the app's Messages tab, the direct messages with it."""

    place: Address
    user: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StopPressed:
    """Somebody pressed Slack's own Stop button: in this thread, below answers with these ts."""

    place: Address
    user: str
    thread: str
    answers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SlashCommand:
    """A command such as `/agent use support`; `key` is that of a message made of it."""

    key: str
    command: str
    text: str
    team: str
    channel: str
    user: str
    user_name: str

    @property
    def place(self) -> Address:
        """The channel that it was given in."""
        return Address(platform="slack", parts=(self.team, self.channel))

    @property
    def author(self) -> Author:
        """The person who gave the feedback."""
        return Author(id=self.user, name=self.user_name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Press:
    """A button below a message, or on the Home tab: there the channel is `HomeOpened.direct`."""

    value: str
    team: str
    user: str
    channel: str | None = None
    thread_ts: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortcut:
    """The message shortcut, used on the message with this ts.

    At `response_url` whoever used it can be told something, also where the bot is not.
    """

    key: str
    team: str
    channel: str
    user: str
    message_ts: str
    thread_ts: str | None
    said: Quote
    response_url: str = ""
