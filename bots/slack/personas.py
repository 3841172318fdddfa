"""How an agent appears in Slack."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Persona:
    """Its name, and an :emoji: or the address of a picture."""

    name: str | None = None
    icon: str | None = None

    @property
    def emoji(self) -> str | None:
        """The icon, if it is an emoji."""
        return self.icon if self.icon and self.icon.startswith(":") else None

    @property
    def picture(self) -> str | None:
        """The icon, if it is the address of a picture."""
        return self.icon if self.icon and not self.emoji else None
