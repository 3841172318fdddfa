"""The peer's clock, and the message timestamps it mints."""

from __future__ import annotations

from tests.peers import clock


class Clock(clock.Clock):
    """Every timestamp is minted once, in any channel."""

    def ts(self, ago: float = 0.0) -> str:
        wanted = int((self.now() - ago) * 1_000_000)
        micros = self.minted(wanted, is_past=bool(ago))
        return f"{micros // 1_000_000}.{micros % 1_000_000:06d}"
