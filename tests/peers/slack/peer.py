"""SlackPeer: the server, started and stopped around a test."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Self

from aiohttp import ClientSession, web

from tests.patience import PATIENCE
from tests.peers.slack.api import Api
from tests.peers.slack.backend import Backend
from tests.peers.slack.clock import Clock
from tests.peers.slack.control import Control
from tests.peers.slack.deliveries import Delivery, Schedule
from tests.peers.slack.faults import Fault
from tests.peers.slack.journal import Entry, Journal
from tests.peers.slack.methods import auth
from tests.peers.slack.person import Person
from tests.peers.slack.places import Places
from tests.peers.slack.sockets import Ending, Sockets
from tests.peers.slack.webhooks import Webhooks
from tests.peers.slack.world import Token

_MOST_BODY = 64 * 1024 * 1024


class SlackPeer(Person, Places):
    """One app in one workspace (T0001) with Anna, Ben and two channels; more can be added.

    `limit_rates` enforces the tiers, `schedule` is what a delivery waits for, `seed` every chance.
    """

    bot_token = "xoxb-T0001-peer"  # noqa: S105 - the peer's own
    app_token = "xapp-1-A0001-peer"  # noqa: S105 - the peer's own
    signing_secret = "peer-signing-secret"  # noqa: S105 - the peer's own
    client_id = auth.CLIENT_ID
    client_secret = auth.CLIENT_SECRET
    team, bot_user, mention = "T0001", "U0BOT", "<@U0BOT>"

    def __init__(
        self,
        *,
        port: int = 0,
        seed: int = 0,
        schedule: Schedule | None = None,
        limit_rates: bool = False,
        now: Callable[[], float] | None = None,
    ) -> None:
        super().__init__(
            Backend(
                clock=Clock(now),
                schedule=schedule or Schedule(),
                seed=seed,
                limit_rates=limit_rates,
            )
        )
        self.journal = Journal()
        self._port = port
        self._tasks = asyncio.TaskGroup()
        self._running: set[asyncio.Task[None]] = set()
        self._furnish()

    def _furnish(self) -> None:
        world = self.backend.world
        world.add_team("T0001", "Harbour")
        world.tokens[self.app_token] = Token(
            value=self.app_token, team="T0001", kind="app", scopes={"connections:write"}
        )
        self.add_user("U0ANNA", "anna")
        self.add_user("U0BEN", "ben")
        self.add_channel("C0GENERAL", "general")
        self.add_channel("C0SUPPORT", "support")

    async def __aenter__(self) -> Self:
        await self._tasks.__aenter__()
        self.backend.deliveries.bind(self._start)
        self._http = ClientSession()
        app = web.Application(client_max_size=_MOST_BODY)
        Api(self.backend, self.journal).add_routes(app)
        Control(self).add_routes(app)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
        await self._runner.setup()
        self._site = web.TCPSite(self._runner, "127.0.0.1", self._port)
        await self._site.start()
        self.backend.listen_at(f"http://127.0.0.1:{self._runner.addresses[0][1]}")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        await self._site.stop()
        await self.sockets.kill("close")
        for task in self._running:
            task.cancel()
        await self._tasks.__aexit__(None, None, None)
        await self._http.close()
        for _ in range(3):  # a connection accepted just before is not known to aiohttp yet
            await asyncio.sleep(0)
        await self._runner.cleanup()

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = self._tasks.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    @property
    def url(self) -> str:
        return self.backend.base_url

    @property
    def api_url(self) -> str:
        """For SLACK_API_URL."""
        return f"{self.url}/api/"

    @property
    def sockets(self) -> Sockets:
        return self.backend.sockets

    @property
    def deliveries(self) -> list[Delivery]:
        return self.backend.deliveries.all

    def delivered(self, event: str, subtype: str = "") -> list[Delivery]:
        """Deliveries of an event type (app_mention, …) or of a kind (slash_commands, …)."""
        named = [d for d in self.deliveries if event in (d.kind, d.event.get("type"))]
        return [d for d in named if d.event.get("subtype", "") == subtype]

    def calls(self, method: str = "") -> list[Entry]:
        return self.journal.of(method)

    def fault(self, method: str, trouble: str, **details: int | float | str | None) -> Fault:
        """`trouble` as in `Trouble`, details as in `Fault`."""
        return self.backend.faults.add(method, trouble, **details)

    def clear_faults(self) -> None:
        self.backend.faults.clear()

    def disturb(
        self,
        *,
        duplicate: float = 0.0,
        lag: float = 0.0,
        kill_rate: float = 0.0,
    ) -> None:
        """Chance to be sent twice, most seconds late, chance to lose the socket."""
        self.backend.deliveries.duplicate = duplicate
        self.backend.deliveries.lag = lag
        self.sockets.kill_rate = kill_rate

    def advance(self, seconds: float) -> None:
        """Slack's clock jumps: streams, triggers, response URLs and statuses age."""
        self.backend.clock.advance(seconds)

    async def kill_sockets(self, how: Ending = "abort", count: int | None = None) -> int:
        return await self.sockets.kill(how, count)

    async def use_http(self, request_url: str) -> bool:
        """HTTP mode from here on; whether the URL passed its url_verification."""
        world = self.backend.world
        webhooks = Webhooks(
            request_url, self.signing_secret, self.backend.clock, world.new_id, self._http
        )
        self.backend.deliveries.carrier = webhooks
        return await webhooks.verify()

    async def until(self, condition: Callable[[], object], within: float = PATIENCE) -> None:
        """Waits for a condition; raises AssertionError when it is not met in time."""
        loop = asyncio.get_running_loop()
        end = loop.time() + within
        while not condition():
            if loop.time() > end:
                raise AssertionError(f"not so within {within} s")
            await asyncio.sleep(0.02)

    async def until_connected(self, count: int = 1, within: float = PATIENCE) -> None:
        await self.until(lambda: len(self.sockets.live) >= count, within)

    async def until_quiet(self, within: float = PATIENCE) -> None:
        """Every delivery is acknowledged or given up."""
        await self.until(lambda: not self.backend.deliveries.waiting, within)
