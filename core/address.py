"""Where talk happens, as a path: slack/TEAM/CHANNEL[/THREAD], terminal/ROOM, python/ROOM."""

from __future__ import annotations

from dataclasses import dataclass

from core.errors import UserMistake

PLATFORMS = ("slack", "discord", "terminal", "python")
_LONGEST = 170  # with a message's own part it is a key, and keys are indexed up to 190 characters


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A platform and the ids below it, outermost first, as the platform gave them."""

    platform: str
    parts: tuple[str, ...]

    @classmethod
    def parse(cls, path: str) -> Address:
        """Read `platform/part/…`.

        Raises:
            UserMistake: unknown platform, an empty part, a character that cannot be printed,
                or longer than 170 characters.
        """
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
        return cls(platform=platform, parts=tuple(parts))

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
    def scope(self) -> str:
        """What one memory covers: the channel or room, its threads included."""
        return "/".join((self.platform, *self.parts[:2]))

    @property
    def queue(self) -> str:
        """Which processes can deliver here: a whole platform, but one room of a terminal."""
        return self.key if self.platform in {"terminal", "python"} else self.platform

    def below(self, part: str) -> Address:
        """The address of something inside of this one."""
        return Address(platform=self.platform, parts=(*self.parts, part))

    def __str__(self) -> str:
        return self.key
