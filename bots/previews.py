"""Which previews of growing answers are worth one of the few edits that a platform takes."""

from __future__ import annotations

from core.clock import monotonic

_FORGOTTEN_AFTER = 60.0  # seconds without a preview: that answer has ended elsewhere
_LONG_AGO = float("-inf")


class Previews:
    """Each growing answer of a place gets its equal share; the more there are, the less often.

    `interval` is in seconds between two edits in a place: whatever the platform limits.
    """

    def __init__(self, interval: float) -> None:
        self._interval = interval
        self._shown: dict[str, dict[str, tuple[float, str]]] = {}

    def is_due(self, place: str, key: str, text: str) -> bool:
        """Whether this text is news, and its answer has waited long enough."""
        at, before = self._shown.get(place, {}).get(key, (_LONG_AGO, ""))
        return text != before and monotonic() - at >= self._interval * self.growing(place)

    def growing(self, place: str) -> int:
        """How many answers are shown while they grow: each needs one more edit, its last."""
        self._forget()
        return len(self._shown.get(place, {}))

    def show(self, place: str, key: str, text: str) -> None:
        """The text is about to be shown."""
        self._shown.setdefault(place, {})[key] = (monotonic(), text)

    def end(self, place: str, key: str) -> None:
        """The answer grows no more."""
        shown = self._shown.get(place, {})
        shown.pop(key, None)
        if not shown:
            self._shown.pop(place, None)

    def _forget(self) -> None:
        """In all places: some are never looked at again."""
        now = monotonic()
        gone = [
            (place, key)
            for place, shown in self._shown.items()
            for key, (at, _) in shown.items()
            if now - at > _FORGOTTEN_AFTER
        ]
        for place, key in gone:
            self.end(place, key)
