"""What fails is acknowledged by neither way in, whatever kind of delivery it is."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from urllib.parse import urlencode

import pytest
from slack_sdk.signature import Clock, SignatureVerifier
from slack_sdk.web.async_client import AsyncWebClient

from bots.http import HttpPort
from bots.slack.connection import Client, Connection
from bots.slack.http import PATHS, routes
from core.messaging.storing import NotStored
from storage.errors import DatabaseBusy
from tests.bots.slack.bodies import COMMAND, PRESS, SHORTCUT, Json, said
from tests.bots.slack.bots import PING_INTERVAL, Workspace
from tests.bots.slack.test_app import Failing, app_with
from tests.bots.slack.test_http import posted
from tests.patience import PATIENCE
from tests.peers.slack.deliveries import Delivery, Schedule
from tests.peers.slack.peer import SlackPeer
from tests.peers.slack.wire import Json as Payload

SECRET = "a-secret"  # noqa: S105 - the test's own
NOW = "1700000000"
HERE, ANNA = "C0GENERAL", "U0ANNA"
FORM = "application/x-www-form-urlencoded"


class Counting(Failing):
    """How often somebody was heard who failed."""

    def __init__(self, error: Exception) -> None:
        super().__init__(error)
        self.heard = 0

    async def failing(self) -> None:
        """As a listener."""
        self.heard += 1
        await super().failing()


class Stopped(Clock):
    """It is always the same moment."""

    def now(self) -> float:
        return float(NOW)


@asynccontextmanager
async def served(listeners: Failing) -> AsyncIterator[str]:
    """The URL at which an app with these listeners is served."""
    port = HttpPort(0, {}, routes(app_with(listeners), SECRET, Stopped()))
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(port.run(None, stop))  # type: ignore[arg-type]  # it asks no intake
        try:
            yield f"http://127.0.0.1:{port.port}{PATHS[0]}"
        finally:
            task.cancel()


SENT: list[tuple[str, Json]] = [
    ("event", said()),
    ("command", COMMAND),
    ("action", PRESS),
    ("shortcut", SHORTCUT),
]


def encoded(kind: str, raw: Json) -> tuple[str, str]:
    """The body and its type, as Slack sends such a kind by HTTP."""
    if kind == "event":
        return json.dumps(raw), "application/json"
    return urlencode(raw if kind == "command" else {"payload": json.dumps(raw)}), FORM


@pytest.mark.parametrize(
    ("error", "status"),
    [(NotStored("busy"), 503), (DatabaseBusy("busy"), 503), (LookupError("ours"), 500)],
)
async def test_by_http_it_is_an_error(error: Exception, status: int) -> None:
    signature = SignatureVerifier(SECRET).generate_signature
    listeners = Counting(error)
    async with served(listeners) as url:
        for number, (kind, raw) in enumerate(SENT, start=1):
            body, content_type = encoded(kind, raw)
            headers = {"Content-Type": content_type, "X-Slack-Request-Timestamp": NOW}
            headers["X-Slack-Signature"] = str(signature(timestamp=NOW, body=body))
            assert await posted(url, body, headers) == status, kind
            assert listeners.heard == number, kind


def message(slack: SlackPeer) -> Delivery:
    slack.say(HERE, ANNA, "hello")
    return slack.deliveries[-1]


def press(slack: SlackPeer) -> Delivery:
    return slack.backend.interactions.interact(
        ANNA, slack.team, Payload(type="block_actions", actions=PRESS["actions"])
    )


def shortcut(slack: SlackPeer) -> Delivery:
    place = slack.backend.world.channels[HERE]
    ts = slack.backend.clock.ts()
    place.messages[ts] = Payload(type="message", user=ANNA, text="hello", ts=ts)
    return slack.use_shortcut(HERE, ts, "ask_agent", ANNA)


DONE: list[Callable[[SlackPeer], Delivery]] = [
    message,
    lambda slack: slack.command("/agent", "ask hello", HERE, ANNA),
    press,
    shortcut,
]


@pytest.mark.parametrize("error", [NotStored("busy"), LookupError("ours")])
async def test_by_socket_it_stays_without_an_acknowledgement(
    workspace: Workspace, error: Exception
) -> None:
    slack, listeners = workspace.slack, Counting(error)
    web = AsyncWebClient(base_url=slack.api_url)
    connection = Connection(
        lambda receive: Client(slack.app_token, web, PING_INTERVAL, receive),
        app_with(listeners).dispatch,
        lambda: None,
    )
    slack.backend.deliveries.schedule = Schedule(deadline=PATIENCE, retries=())
    async with asyncio.TaskGroup() as group:
        running = group.create_task(connection.run())
        await slack.until(lambda: slack.sockets.live)
        done = [do(slack) for do in DONE]
        await slack.until(lambda: listeners.heard == len(done))
        await slack.until(lambda: not connection.clients[0].in_hand)
        slack.sockets.lapse()
        await slack.until_quiet()
        running.cancel()
    assert [each.state for each in done] == ["given_up"] * len(done)
    assert slack.sockets.stray_acks == []
