"""Events API: the wrapper around an event, and which events the app is told of."""

from __future__ import annotations

from collections.abc import Callable

from tests.peers.slack.deliveries import Deliveries, Delivery
from tests.peers.slack.wire import Json
from tests.peers.slack.world import APP_ID, Channel, World

VERIFICATION_TOKEN = "peer-verification"  # noqa: S105 - Slack's old, public one


class Events:
    """Everything the installed app is subscribed to is delivered; nobody else listens."""

    def __init__(self, world: World, deliveries: Deliveries) -> None:
        self.unsubscribed: set[str] = set()  # e.g. app_mention, message.channels
        self._world = world
        self._deliveries = deliveries

    def emit(
        self, team: str, event: Json, then: Callable[[Delivery], None] | None = None
    ) -> Delivery | None:
        """None where the app is not installed or not subscribed."""
        if not self._world.teams[team].is_installed or event["type"] in self.unsubscribed:
            return None
        place = self._world.channels.get(str(event.get("channel")))
        is_shared = place is not None and bool(place.shared_with)
        body = self.wrapped(team, event, is_shared=is_shared)
        return self._deliveries.send("events_api", body, then)

    def emit_in(self, channel: Channel, event: Json) -> Delivery | None:
        """An event of a channel reaches the app only if its bot is in there."""
        bot = self._world.teams[channel.team].bot_user
        if bot not in channel.members or self._subscription(channel, event) in self.unsubscribed:
            return None
        return self.emit(channel.team, event)

    def _subscription(self, channel: Channel, event: Json) -> str:
        names = {"channel": "channels", "group": "groups"}
        place = names.get(channel.kind, channel.kind)
        return f"message.{place}" if event["type"] == "message" else str(event["type"])

    def wrapped(self, team: str, event: Json, *, is_shared: bool = False) -> Json:
        authorization = Json(
            enterprise_id=None,
            team_id=team,
            user_id=self._world.teams[team].bot_user,
            is_bot=True,
            is_enterprise_install=False,
        )
        return Json(
            token=VERIFICATION_TOKEN,
            team_id=team,
            context_team_id=team,
            context_enterprise_id=None,
            api_app_id=APP_ID,
            event=event,
            type="event_callback",
            event_id=self._world.new_id("Ev"),
            event_time=int(self._world.clock.now()),
            authorizations=[authorization],
            is_ext_shared_channel=is_shared,
            event_context=self._world.new_id("4-"),
        )
