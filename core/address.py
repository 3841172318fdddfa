"""Where talk happens, as a path: slack/TEAM/CHANNEL[/THREAD], terminal/ROOM, python/ROOM."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import lru_cache

from core.errors import UserMistake

PLATFORMS = ("slack", "discord", "terminal", "python")
_HAVE_PRIVATE_THREADS = {"discord"}
_LONGEST = 170  # with a message's own part it is a key, and keys are indexed up to 190 characters


class Readers(StrEnum):
    """Who can read what is said at an address, as an event told; unknown is private."""

    UNKNOWN = ""
    EVERYBODY = "everybody"
    CHANNEL = "channel"  # members of a private channel, group or direct message
    THREAD = "thread"  # members of a private thread, which are not all of its channel

    @classmethod
    def _missing_(cls, value: object) -> Readers:
        """What a later version has kept."""
        return cls.UNKNOWN

    def since(self, before: Readers) -> Readers:
        """What to keep when this is told and `before` was kept: what was private stays private."""
        is_news = self is not Readers.UNKNOWN
        may_change = before is Readers.UNKNOWN or self is not Readers.EVERYBODY
        return self if is_news and may_change else before


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A platform and the ids below it, outermost first, as the platform gave them.

    `readers` are those of what is said there, in the thread where a message stands in one.
    """

    platform: str
    parts: tuple[str, ...]
    readers: Readers = field(default=Readers.UNKNOWN, compare=False)

    @staticmethod
    def parse(path: str, readers: str = Readers.UNKNOWN) -> Address:
        """Read `platform/part/…`, and who can read there as it is stored.

        Raises:
            UserMistake: unknown platform, an empty part, a character that cannot be printed,
                or longer than 170 characters.
        """
        return _parsed(path, readers)

    @property
    def key(self) -> str:
        """The path as it is stored and compared."""
        return "/".join((self.platform, *self.parts))

    @property
    def prefixes(self) -> tuple[str, ...]:
        """This path and every path above it, longest first: where a binding may sit."""
        steps = (self.platform, *self.parts)
        return tuple("/".join(steps[:end]) for end in range(len(steps), 0, -1))

    @property
    def is_private_thread(self) -> bool:
        """Whether it is in a thread that not everybody in its channel can read."""
        is_thread = len(self.parts) > 2 and not self.parts[2].startswith("@")
        if self.readers is Readers.UNKNOWN:
            return is_thread and self.platform in _HAVE_PRIVATE_THREADS
        return is_thread and self.readers is Readers.THREAD

    @property
    def channel(self) -> Address:
        """The channel or room, without the thread."""
        return replace(self, parts=self.parts[:2])

    @property
    def shared(self) -> Address:
        """The outermost address with the same readers: a channel, or a private thread of it."""
        return replace(self, parts=self.parts[:3]) if self.is_private_thread else self.channel

    @property
    def scope(self) -> str:
        """What one memory covers: the channel or room with its threads, a private one by itself."""
        return self.shared.key

    @property
    def shares_its_place(self) -> bool:
        """Whether its scope may have other conversations: a room of a terminal is one."""
        return len(self.parts) > 1

    @property
    def readers_below(self) -> tuple[Readers, ...]:
        """Readers whose conversations below are shown here: not those of private threads."""
        if self.is_private_thread or self.platform not in _HAVE_PRIVATE_THREADS:
            return tuple(Readers)
        return Readers.EVERYBODY, Readers.CHANNEL

    @property
    def queue(self) -> str:
        """Which processes can deliver here: a whole platform, but one room of a terminal."""
        return self.key if self.platform in {"terminal", "python"} else self.platform

    def below(self, part: str) -> Address:
        """The address of something inside of this one."""
        return replace(self, parts=(*self.parts, part))

    def __str__(self) -> str:
        return self.key


@lru_cache(maxsize=1_000)
def _parsed(path: str, readers: str) -> Address:
    """Kept: a turn asks for that of its conversation several times."""
    platform, *parts = path.split("/")
    if platform not in PLATFORMS:
        raise UserMistake(
            f"{path[:_LONGEST]!r} is not an address: "
            f"it must begin with {', '.join(PLATFORMS)} and a /."
        )
    if not (parts and all(parts) and path.isprintable() and len(path) <= _LONGEST):
        raise UserMistake(
            f"{path[:_LONGEST]!r} is not an address: each part between slashes needs a name "
            f"of characters that can be printed, and the whole at most {_LONGEST} characters."
        )
    return Address(platform=platform, parts=tuple(parts), readers=Readers(readers))
