"""A platform with every kind of place, and what people can do and see there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from tests.peers.endpoint import Endpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A channel, a thread or direct messages; `channel` is the peer's id of what one speaks in.

    What is said there is for those who read `among`: a channel, or a private thread. `people`
    are there; the first of them manages it. `shares` is who shares one history, as `/agent use`
    has it, empty where the binding of the channel holds. Where it is silent, people only command.
    `remembers`: what one person says there stands in one history.
    """

    number: int
    channel: str
    among: str
    people: tuple[str, ...]
    thread: str = ""
    shares: str = ""
    is_public: bool = False
    is_silent: bool = False
    remembers: bool = False


class Town(Protocol):
    """The bot's peers, which live longer than a bot does.

    `shut` are places without the bot; in `cut` an answer is cut off by a restart.
    """

    endpoint: Endpoint
    places: Sequence[Place]
    shut: Sequence[Place]
    cut: Place | None
    people: Sequence[str]

    def bot(self) -> AbstractAsyncContextManager[None]:
        """A bot while it runs, connected."""
        ...

    def say(self, place: Place, person: str, text: str) -> str:
        """The message's id."""
        ...

    async def obey(self, place: Place, person: str, verb: str, value: str = "") -> str:
        """What `/agent` tells this person; not in a thread of Slack."""
        ...

    async def point(self, place: Place, person: str, message: str) -> str:
        """Use "Ask an agent"; what the person is told, if they are."""
        ...

    async def press(self, place: Place, person: str) -> int:
        """Every button of the newest answer there; how many questions that made."""
        ...

    async def turn(self) -> int:
        """Some public channels turn private; how many questions that made."""
        ...

    async def rest(self) -> None:
        """What turned private is public again, for the platform.

        Who can read in private threads is as unknown as an older version left it.
        """

    def archive(self) -> None:
        """Threads go into the archive."""

    def shown(self, place: Place) -> Iterable[str]:
        """All that the bot says there, to anybody."""
        ...

    async def tab(self, person: str) -> str:
        """The person's tab of the app; empty where there is none."""
        ...

    def listed(self, person: str) -> set[str]:
        """The channels that lists may name to this person: public ones, and their own."""
        ...

    def rows(self, statement: str) -> list[tuple[object, ...]]:
        """What the database holds."""
        ...

    async def until(self, statement: str, value: object) -> None:
        """Wait until the database says so."""
        ...
