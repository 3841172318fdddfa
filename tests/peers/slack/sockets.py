"""Socket Mode: tickets, WebSockets, envelopes, acknowledgements, and how a socket can end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Literal

from aiohttp import ClientConnectionError, WSMsgType, web

from tests.peers.slack.deliveries import Attempt, Delivery
from tests.peers.slack.wire import Json, RefusedError, parsed
from tests.peers.slack.world import APP_ID

MOST_SOCKETS = 10
Ending = Literal["abort", "close"]


@dataclass(eq=False, slots=True, kw_only=True)
class Socket:
    number: int
    stream: web.WebSocketResponse
    transport: asyncio.Transport | None
    is_frozen: bool = False  # half open: nothing is answered, not even pings
    pings: int = 0
    pongs: int = 0
    received: list[Json] = field(default_factory=list)

    @property
    def is_live(self) -> bool:
        is_open = self.transport is not None and not self.transport.is_closing()
        return is_open and not self.stream.closed

    async def send(self, message: Json) -> bool:
        try:
            await self.stream.send_json(message)
        except (ClientConnectionError, ConnectionError):
            return False
        return True

    async def end(self, how: Ending) -> None:
        """abort: the line is cut, no CLOSE frame. close: a clean CLOSE frame."""
        if how == "close":
            await self.stream.close()
        elif self.transport is not None:
            self.transport.abort()


class Sockets:
    """The bot's open sockets. An envelope goes to one of them, chosen at random."""

    def __init__(self, random: Random, new_id: Callable[[str], str]) -> None:
        self.url = ""  # ws://host:port, once the server listens
        self.is_enabled = True
        self.honours_foreign_acks = True  # an ack on another socket than the envelope's
        self.kill_rate = 0.0  # chance that a socket is cut right after an envelope went out
        self.stray_acks: list[Json] = []  # unknown, repeated or too late
        self.opened = 0
        self._all: list[Socket] = []
        self._tickets: set[str] = set()
        self._waiting: dict[str, tuple[Socket, asyncio.Future[Json]]] = {}
        self._random = random
        self._new_id = new_id

    @property
    def live(self) -> list[Socket]:
        return [socket for socket in self._all if socket.is_live]

    def ticket(self) -> str:
        if not self.is_enabled:
            raise RefusedError("access_denied")
        ticket = self._new_id("ticket-")
        self._tickets.add(ticket)
        return f"{self.url}/link/?ticket={ticket}&app_id={APP_ID}"

    async def serve(self, http: web.Request) -> web.StreamResponse:
        ticket = http.query.get("ticket", "")
        if ticket not in self._tickets:
            return web.Response(status=403)
        self._tickets.discard(ticket)
        stream = web.WebSocketResponse(autoping=False)
        await stream.prepare(http)
        self.opened += 1
        transport = http.transport
        is_tcp = isinstance(transport, asyncio.Transport)
        socket = Socket(number=self.opened, stream=stream, transport=transport if is_tcp else None)
        if len(self.live) >= MOST_SOCKETS:
            await socket.send(Json(type="disconnect", reason="too_many_websockets"))
            await stream.close()
            return stream
        self._all.append(socket)
        try:
            await self._greet(socket)
            await self._read(socket)
        finally:
            self._all.remove(socket)
        return stream

    async def _greet(self, socket: Socket) -> None:
        await socket.send(
            Json(
                type="hello",
                num_connections=len(self.live),
                connection_info=Json(app_id=APP_ID),
                debug_info=Json(host="peer", approximate_connection_time=18060),
            )
        )
        await self._ping(socket)

    async def _ping(self, socket: Socket) -> None:
        try:
            await socket.stream.ping(b"Ping from peer")
        except (ClientConnectionError, ConnectionError):
            return

    async def _read(self, socket: Socket) -> None:
        async for frame in socket.stream:
            if socket.is_frozen:
                continue
            if frame.type is WSMsgType.PING:
                socket.pings += 1
                await socket.stream.pong(frame.data)
            elif frame.type is WSMsgType.PONG:
                socket.pongs += 1
            elif frame.type is WSMsgType.TEXT:
                self._acknowledge(socket, parsed(frame.data))

    def _acknowledge(self, socket: Socket, message: Json) -> None:
        socket.received.append(message)
        sent_on, acked = self._waiting.get(str(message.get("envelope_id")), (None, None))
        is_foreign = sent_on is not socket and not self.honours_foreign_acks
        if acked is None or acked.done() or is_foreign:
            self.stray_acks.append(message)
            return
        acked.set_result(Json(message.get("payload") or {}))

    async def attempt(
        self, delivery: Delivery, number: int, reason: str, deadline: float
    ) -> Attempt:
        if not self.live:
            return Attempt(number=number, envelope_id="", is_acked=False, reason="timeout")
        socket = self._random.choice(self.live)
        envelope = self._envelope(delivery, number, reason)
        envelope_id = envelope["envelope_id"]
        acked: asyncio.Future[Json] = asyncio.get_running_loop().create_future()
        self._waiting[envelope_id] = (socket, acked)
        try:
            async with asyncio.timeout(deadline):
                await socket.send(envelope)
                if self._random.random() < self.kill_rate:
                    await socket.end("abort")
                reply = await acked
        except TimeoutError:
            return Attempt(
                number=number,
                envelope_id=envelope_id,
                is_acked=False,
                reason="timeout",
                socket=socket.number,
            )
        finally:
            del self._waiting[envelope_id]
        return Attempt(
            number=number,
            envelope_id=envelope_id,
            is_acked=True,
            reply=reply,
            socket=socket.number,
        )

    def lapse(self) -> None:
        """The deadline of all that is not acknowledged yet passes now."""
        for _, acked in self._waiting.values():
            if not acked.done():
                acked.set_exception(TimeoutError())

    def _envelope(self, delivery: Delivery, number: int, reason: str) -> Json:
        envelope = Json(
            envelope_id=self._new_id("envelope-"),
            type=delivery.kind,
            payload=delivery.payload,
            accepts_response_payload=delivery.kind != "events_api",
        )
        if delivery.kind == "events_api":
            envelope.update(retry_attempt=number, retry_reason=reason)
        return envelope

    async def disconnect(self, reason: str = "refresh_requested") -> list[Socket]:
        """Tell every socket to reconnect; after a warning it is the caller who closes them."""
        told = self.live
        for socket in told:
            await socket.send(Json(type="disconnect", reason=reason, debug_info=Json(host="peer")))
            if reason != "warning":
                await socket.end("close")
        return told

    async def kill(self, how: Ending = "abort", count: int | None = None) -> int:
        """How many sockets were ended."""
        chosen = self._random.sample(self.live, min(count or len(self.live), len(self.live)))
        for socket in chosen:
            await socket.end(how)
        return len(chosen)

    def freeze(self) -> None:
        """Half-open lines: nothing is read or answered on them, but Slack still sends there."""
        for socket in self.live:
            socket.is_frozen = True
