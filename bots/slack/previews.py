"""Which previews of growing answers are worth one of Slack's few edits a minute."""

from __future__ import annotations

from collections import defaultdict

from core.clock import monotonic

INTERVAL = 1.5  # seconds between two edits in a workspace: 40 a minute of the 50 that Slack takes
_FORGOTTEN_AFTER = 60.0  # seconds without a preview: that answer has ended elsewhere
_LONG_AGO = float("-inf")


class Previews:
    """Each growing answer gets its equal share; the more there are, the less often."""

    def __init__(self) -> None:
        self._shown: dict[str, dict[str, tuple[float, str]]] = defaultdict(dict)

    def is_due(self, team: str, key: str, text: str) -> bool:
        """Whether this text is news, and its answer has waited long enough."""
        at, before = self._shown[team].get(key, (_LONG_AGO, ""))
        return text != before and monotonic() - at >= INTERVAL * self.growing(team)

    def growing(self, team: str) -> int:
        """How many answers are shown while they grow: each needs one more edit, its last."""
        now, shown = monotonic(), self._shown[team]
        for key in [key for key, (at, _) in shown.items() if now - at > _FORGOTTEN_AFTER]:
            del shown[key]
        return len(shown)

    def show(self, team: str, key: str, text: str) -> None:
        """The text is about to be shown."""
        self._shown[team][key] = (monotonic(), text)

    def end(self, team: str, key: str) -> None:
        """The answer grows no more."""
        self._shown[team].pop(key, None)
