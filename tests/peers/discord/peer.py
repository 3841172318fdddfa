"""DiscordPeer: the server, started and stopped around a test."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Self

from aiohttp import web

from tests.patience import PATIENCE
from tests.peers.discord.api import LABELS, Api
from tests.peers.discord.backend import Backend
from tests.peers.discord.clock import Clock
from tests.peers.discord.faults import Fault
from tests.peers.discord.gateway import Gateway
from tests.peers.discord.journal import Entry, Journal
from tests.peers.discord.person import Person
from tests.peers.discord.places import Places
from tests.peers.discord.sessions import Ending, Event, Session
from tests.peers.discord.user_actions import UserActions
from tests.peers.discord.wire import Json, copied


class DiscordPeer(Person, UserActions, Places):
    """One bot in one guild with anna, ben and two channels; more can be added.

    Every id is a string. `limit_rates` enforces the buckets and the pause between IDENTIFYs,
    `nonce_seconds` is how long a nonce is remembered, `seed` draws every chance.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        seed: int = 0,
        limit_rates: bool = False,
        nonce_seconds: float = 180.0,
        now: Callable[[], float] | None = None,
    ) -> None:
        super().__init__(Backend(clock=Clock(now), seed=seed, limit_rates=limit_rates))
        self.backend.posts.nonce_seconds = nonce_seconds
        self.journal = Journal()
        self._port = port
        self._furnish()

    def _furnish(self) -> None:
        world = self.backend.world
        self.application_id, self.bot_user = world.application, world.bot
        self.mention = f"<@{world.bot}>"
        self.guild = world.add_guild("Harbour").id
        self.anna, self.ben = self.add_user("anna"), self.add_user("ben")
        self.general = world.add_channel("general", self.guild).id
        self.support = world.add_channel("support", self.guild).id

    async def __aenter__(self) -> Self:
        self._api = Api(self.backend, self.journal)
        self._runner = web.AppRunner(self._api.app(), access_log=None, shutdown_timeout=0.2)
        await self._runner.setup()
        await self._listen()
        return self

    async def _listen(self) -> None:
        self._site = web.TCPSite(self._runner, "127.0.0.1", self._port)
        await self._site.start()
        self._port = self._runner.addresses[0][1]
        self.backend.listen_at(f"http://127.0.0.1:{self._port}")

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        if not self._api.is_down:
            await self._site.stop()
        await self.gateway.kick("abort", 1001)
        for _ in range(3):  # a connection accepted just before is not known to aiohttp yet
            await asyncio.sleep(0)
        await self._runner.cleanup()

    async def down(self) -> None:
        """Nothing listens and every line is cut, until `up`; what people do goes on."""
        self._api.is_down = True
        await self._site.stop()
        await self.gateway.kick("abort", 1006)

    async def up(self) -> None:
        await self._listen()
        self._api.is_down = False

    @property
    def url(self) -> str:
        return self.backend.world.base_url

    @property
    def api_url(self) -> str:
        """For DISCORD_API_URL."""
        return f"{self.url}/api/v10"

    @property
    def token(self) -> str:
        """For DISCORD_TOKEN."""
        return self.backend.world.token

    @property
    def message_content(self) -> bool:
        """Whether the privileged intent is on in the developer portal."""
        return self.backend.world.message_content

    @message_content.setter
    def message_content(self, is_on: bool) -> None:
        self.backend.world.message_content = is_on

    @property
    def gateway(self) -> Gateway:
        return self.backend.gateway

    @property
    def sessions(self) -> list[Session]:
        """Those that are connected."""
        return self.gateway.live

    @property
    def identifies(self) -> int:
        return len(self.gateway.identifies)

    @property
    def resumes(self) -> int:
        return len(self.gateway.resumes)

    @property
    def starts_left(self) -> int:
        """What is left of the day's 1000 IDENTIFYs; a start below zero resets the token."""
        return self.gateway.starts_left

    @starts_left.setter
    def starts_left(self, count: int) -> None:
        self.gateway.starts_left = count

    def spoil_token(self) -> None:
        """The token was reset: REST answers 401, the gateway closes with 4004."""
        self.backend.world.token = f"{self.backend.world.token[:-5]}reset"

    def commands(self, guild: str = "") -> list[Json]:
        """As registered: globally, or in a guild."""
        return [copied(command) for command in self.backend.menu.registered.get(guild, [])]

    def calls(self, label: str = "") -> list[Entry]:
        return self.journal.of(label)

    def fault(self, label: str, trouble: str, **details: float | str | None) -> Fault:
        """`trouble` as in `Trouble`, details as in `Fault`.

        `label` is a route's, maybe with a space and the path behind it, or `*`.
        """
        if label.partition(" ")[0] not in LABELS:
            raise LookupError(f"no label {label}; there are {', '.join(sorted(LABELS))}")
        return self.backend.faults.add(label, trouble, **details)

    def clear_faults(self) -> None:
        self.backend.faults.clear()

    def disturb(self, *, duplicate: float = 0.0, lag: float = 0.0, kill_rate: float = 0.0) -> None:
        """Chance that an event is sent twice, most seconds late, chance to cut the socket after."""
        self.gateway.duplicate, self.gateway.lag = duplicate, lag
        self.gateway.kill_rate = kill_rate

    def emit(self, kind: str, payload: Json, *, guild: str = "") -> None:
        """Any event, also a malformed one."""
        self.gateway.emit(Event(kind=kind, payload=payload, guild=guild))

    async def kick(
        self, how: Ending = "abort", *, code: int = 4000, count: int | None = None
    ) -> int:
        """Ends connections; their sessions can be resumed."""
        return await self.gateway.kick(how, code, count)

    def reconnect(self) -> None:
        """Op 7 to every connection."""
        self.gateway.reconnect()

    def invalidate(self, *, is_resumable: bool = False) -> None:
        """Op 9 to every connection."""
        self.gateway.invalidate(is_resumable=is_resumable)

    def forget_sessions(self) -> None:
        """A later RESUME is answered with op 9."""
        self.gateway.forget()

    def stop_heartbeat_acks(self, *, is_stopped: bool = True) -> None:
        self.gateway.acks_heartbeats = not is_stopped

    def mute(self) -> None:
        """The lines that are open now are half open: nothing goes out on them any more."""
        self.gateway.mute()

    def advance(self, seconds: float) -> None:
        """Discord's clock jumps: nonces, tokens of interactions, typing and links age."""
        self.backend.clock.advance(seconds)

    async def until(self, condition: Callable[[], object], within: float = PATIENCE) -> None:
        """Waits for a condition; raises AssertionError when it is not met in time."""
        loop, pause = asyncio.get_running_loop(), 0.0
        end = loop.time() + within
        while not condition():
            if loop.time() > end:
                raise AssertionError(f"not so within {within} s")
            pause = min(pause + 0.002, 0.02)
            await asyncio.sleep(pause)

    async def until_connected(self, count: int = 1, within: float = PATIENCE) -> None:
        """So many sessions have identified and are open."""
        await self.until(lambda: len(self.sessions) >= count, within)
