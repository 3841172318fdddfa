"""Where an answer stands on Discord: in which channel, and as a reply to which message."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """`channel` is a channel's or a thread's id; without a message the answer replies to none.

    A thread has the id of the message that it was opened from: where the two are the same, the
    thread may have to be opened yet.
    """

    channel: int
    message: int | None = None

    @classmethod
    def parse(cls, text: str) -> Anchor:
        """Back from `key`. Raises ValueError for what is no key."""
        channel, _, message = text.partition("/")
        return cls(channel=int(channel), message=int(message) if message else None)

    @property
    def key(self) -> str:
        """As `reply_to` of a message carries it."""
        return f"{self.channel}/{self.message or ''}"

    @property
    def opens_thread(self) -> bool:
        """Whether the channel is the thread that is opened from the message."""
        return self.channel == self.message
