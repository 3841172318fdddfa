"""Where it is not read yet what was said before this process listened: nobody is answered there."""

from __future__ import annotations

from collections.abc import Callable

from core.address import Address
from core.clock import monotonic

_SECONDS = 5.0
_MOST = 300  # addresses that the database can leave out at once


class Backlog:
    """An answer may not stand before the one to an older question of the same conversation.

    Until it is known which places are to be read a whole platform is held back, and none for more
    than five seconds: a platform that cannot be read must not silence the bot.
    """

    def __init__(self, wake: Callable[[], None]) -> None:
        """`wake` is called whenever a place has been read."""
        self._wake = wake
        self._unread: set[str] = set()
        self._until: float | None = None

    def begin(self) -> None:
        """From now on whoever asks may have to wait."""
        self._until = monotonic() + _SECONDS

    @property
    def unread(self) -> tuple[str, ...]:
        """The keys of addresses; nothing is answered there or below."""
        if self._until is not None and monotonic() >= self._until:
            self._unread.clear()
        if len(self._unread) > _MOST:
            return tuple({key.partition("/")[0] for key in self._unread})
        return tuple(self._unread)

    def expect(self, *keys: str) -> None:
        """What was said there, or below, is going to be read."""
        self._unread.update(keys)

    def has_read(self, place: Address) -> None:
        """What was missed there is in the inbox."""
        self._forget({place.key})

    def is_whole(self, platform: str) -> None:
        """Everything that was missed on the platform is in the inbox."""
        self._forget({key for key in self._unread if f"{key}/".startswith(f"{platform}/")})

    def knows_all(self, platform: str) -> None:
        """Every place of the platform that is still to be read is expected."""
        self._forget({platform})

    def _forget(self, keys: set[str]) -> None:
        if not self._unread.isdisjoint(keys):
            self._unread -= keys
            self._wake()
