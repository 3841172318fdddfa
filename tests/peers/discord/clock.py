"""The peer's clock, and the snowflakes it mints."""

from __future__ import annotations

from datetime import UTC, datetime

from tests.peers import clock

EPOCH_MS = 1_420_070_400_000
_LOW_BITS = 22


class Clock(clock.Clock):
    """Every snowflake is minted once, and later ones are greater."""

    def snowflake(self, ago: float = 0.0) -> str:
        wanted = (int((self.now() - ago) * 1000) - EPOCH_MS) << _LOW_BITS
        return str(self.minted(wanted, is_past=bool(ago)))


def minted_at(snowflake: str) -> float:
    """Unix seconds, to the millisecond."""
    return ((int(snowflake) >> _LOW_BITS) + EPOCH_MS) / 1000


def stamp(seconds: float) -> str:
    """ISO 8601, as Discord writes times."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds")
