"""What each platform gives `moorings run`: a way in to listen to, routes, and a check."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from core.messaging.intake import Intake

if TYPE_CHECKING:
    from starlette.routing import BaseRoute


class Listener(Protocol):
    """The way in from one platform."""

    async def run(self, intake: Intake, stop: asyncio.Event) -> None:
        """Give the intake every message until `stop`, then close the way in, within seconds.

        What still comes by it until it is closed is stored, and answered by the next process.
        """
        ...


class Port:
    """A listener that derives from this stays open until the bot has drained."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WaysIn:
    """The listener to run, the routes to mount, and what raises while nothing can come in."""

    listener: Listener
    routes: Sequence[BaseRoute] = ()
    check: Callable[[], Awaitable[None]] | None = None
