"""Slack's inside: every part of the peer, wired once."""

from __future__ import annotations

from random import Random

from tests.peers.slack.clock import Clock
from tests.peers.slack.deliveries import Deliveries, Schedule
from tests.peers.slack.events import Events
from tests.peers.slack.faults import Faults
from tests.peers.slack.interactions import Interactions
from tests.peers.slack.posts import Posts
from tests.peers.slack.rates import Rates
from tests.peers.slack.sockets import Sockets
from tests.peers.slack.streams import Streams
from tests.peers.slack.world import World


class Backend:
    """Held by the web side (what the bot calls) and by the person side (what people do)."""

    def __init__(self, *, clock: Clock, schedule: Schedule, seed: int, limit_rates: bool) -> None:
        self.clock = clock
        self.base_url = ""
        self.deduplicates_client_msg_id = False  # undocumented at Slack, so off
        self.world = World(clock)
        self.sockets = Sockets(Random(f"{seed}/sockets"), self.world.new_id)  # noqa: S311 - no secret
        self.deliveries = Deliveries(schedule, Random(f"{seed}/deliveries"), self.sockets)  # noqa: S311 - no secret
        self.events = Events(self.world, self.deliveries)
        self.posts = Posts(self.world, self.events)
        self.streams = Streams(self.world, self.posts)
        self.interactions = Interactions(self.world, self.posts, self.deliveries)
        self.faults = Faults(Random(f"{seed}/faults"))  # noqa: S311 - no secret
        self.rates = Rates(clock, is_enforced=limit_rates)

    def listen_at(self, base_url: str) -> None:
        self.base_url = self.interactions.base_url = base_url
        self.sockets.url = base_url.replace("http://", "ws://")
