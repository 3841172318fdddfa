"""What one process does, where not every process does everything."""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    """Hear one platform and answer nothing, or answer on every platform and hear none."""

    SLACK = "slack"
    DISCORD = "discord"
    WORKER = "worker"
