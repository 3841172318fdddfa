"""Which channels may have how many of the turns that a process runs at once."""

from __future__ import annotations

from collections import Counter


class Shares:
    """Of the slots that other channels leave, a channel may have three quarters, but always one.

    So a flood in one channel leaves a quarter to all others, several floods get equal shares as
    their turns end, and whoever comes new finds a slot. Packet switches share their memory so,
    by dynamic thresholds (Choudhury and Hahne, 1998).
    """

    def __init__(self, slots: int) -> None:
        self._free = slots
        self._held = Counter[str]()

    @property
    def full(self) -> list[str]:
        """The channels that may have no other slot now."""
        return [channel for channel, held in self._held.items() if not self._room(held)]

    @property
    def at_once(self) -> int:
        """How many slots the other channels may take, also if all of them go to the same one."""
        rooms = [room for held in (0, *self._held.values()) if (room := self._room(held))]
        return min(rooms, default=0)

    def take(self, channel: str) -> None:
        """A turn begins there."""
        self._free -= 1
        self._held[channel] += 1

    def give_back(self, channel: str) -> None:
        """A turn there has ended."""
        self._free += 1
        self._held[channel] -= 1
        if not self._held[channel]:
            del self._held[channel]

    def _room(self, held: int) -> int:
        """How many more a channel with so many may take: the most n with held + n <= 3 (free - n).

        One that has none may take the last slot.
        """
        room = max(0, (3 * self._free - held) // 4)
        return room if held else max(room, min(1, self._free))
