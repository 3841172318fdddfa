"""A REST endpoint: its label, where it is, and what it does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.peers.discord.backend import Backend
from tests.peers.discord.request import Request
from tests.peers.discord.wire import Json

Answer = Json | list[Json] | None  # None is 204


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """`needs_token`: false where the path itself carries the right."""

    label: str
    method: str
    path: str
    act: Callable[[Backend, Request], Answer]
    needs_token: bool = True
