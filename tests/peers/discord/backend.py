"""Discord's inside: every part of the peer, wired once."""

from __future__ import annotations

from random import Random

from tests.peers.discord.choices import Menu
from tests.peers.discord.clock import Clock
from tests.peers.discord.events import Events
from tests.peers.discord.faults import Faults
from tests.peers.discord.gateway import Gateway
from tests.peers.discord.interactions import Interactions
from tests.peers.discord.posts import Posts
from tests.peers.discord.rates import Rates
from tests.peers.discord.world import World


class Backend:
    """Held by the web side (what the bot calls) and by the person side (what people do)."""

    def __init__(self, *, clock: Clock, seed: int, limit_rates: bool) -> None:
        self.clock = clock
        self.world = World(clock)
        self.gateway = Gateway(self.world, clock, Random(f"{seed}/gateway"))  # noqa: S311 - no secret
        self.events = Events(self.world, self.gateway)
        self.posts = Posts(self.world, self.events)
        self.faults = Faults(Random(f"{seed}/faults"))  # noqa: S311 - no secret
        self.rates = Rates(clock, is_enforced=limit_rates)
        self.interactions = Interactions(self.world, self.events)
        self.menu = Menu(self.world)
        if limit_rates:
            self.gateway.identify_seconds = 5.0

    def listen_at(self, base_url: str) -> None:
        self.world.base_url = base_url
        self.gateway.url = base_url.replace("http://", "ws://")
