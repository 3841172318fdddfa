"""The Gateway: HELLO, IDENTIFY, RESUME, heartbeats, events, and how a connection can end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random

from aiohttp import WSMsgType, web

from tests.peers.discord.clock import Clock
from tests.peers.discord.sessions import (
    MESSAGE_CONTENT,
    Ending,
    Event,
    Session,
    Socket,
)
from tests.peers.discord.wire import Json, parsed
from tests.peers.discord.world import World

_PRIVILEGED = (1 << 1) | (1 << 8) | MESSAGE_CONTENT


class Gateway:
    """Every session of the token receives every event of its shard."""

    def __init__(self, world: World, clock: Clock, random: Random) -> None:
        self.url = ""  # ws://host:port, once the server listens
        self.heartbeat_seconds = 41.25
        self.resume_seconds = 120.0  # how long a lost session is kept
        self.identify_seconds = 0.0  # least time between two IDENTIFYs; Discord: 5
        self.starts_left = 1000
        self.shards = 1  # recommended
        self.acks_heartbeats = True
        self.duplicate = 0.0  # chance that an event is sent twice
        self.lag = 0.0  # up to so many seconds late: reorders
        self.kill_rate = 0.0  # chance that a socket is cut right after an event
        self.identifies: list[Json] = []
        self.resumes: list[Json] = []
        self.heartbeats = 0
        self.opened = 0
        self.greet: Callable[[Session], None] = lambda _session: None
        self._world = world
        self._clock = clock
        self._random = random
        self._sockets: list[Socket] = []
        self._sessions: dict[str, Session] = {}
        self._identified_at = float("-inf")

    @property
    def sockets(self) -> list[Socket]:
        return [socket for socket in self._sockets if socket.is_live]

    @property
    def live(self) -> list[Session]:
        return [session for session in self._sessions.values() if session.is_live]

    async def serve(self, http: web.Request) -> web.StreamResponse:
        stream = web.WebSocketResponse(max_msg_size=0)
        await stream.prepare(http)
        self.opened += 1
        line = http.transport
        transport = line if isinstance(line, asyncio.Transport) else None
        socket = Socket(number=self.opened, stream=stream, transport=transport)
        self._sockets.append(socket)
        interval = int(self.heartbeat_seconds * 1000)
        socket.send(Json(op=10, t=None, s=None, d=Json(heartbeat_interval=interval)))
        async with asyncio.TaskGroup() as tasks:
            writer = tasks.create_task(socket.write())
            try:
                await self._read(socket)
            finally:
                writer.cancel()
                self._lose(socket)
        return stream

    async def _read(self, socket: Socket) -> None:
        async for frame in socket.stream:
            message = _decoded(frame.data) if frame.type is WSMsgType.TEXT else None
            if message is None:
                await socket.end("close", 4002)
                return
            match message.get("op"):
                case 1:
                    self._beat(socket)
                case 2:
                    await self._identify(socket, message["d"])
                case 6:
                    await self._resume(socket, message["d"])
                case 3 | 4 | 8:
                    pass
                case _:
                    await socket.end("close", 4001)

    def _lose(self, socket: Socket) -> None:
        """A client that closes with 1000 or 1001 ends its session, any other end keeps it."""
        self._sockets.remove(socket)
        session = socket.session
        if session is None or session.socket is not socket:
            return
        session.socket, session.lost_at = None, self._clock.now()
        if not socket.is_kicked and socket.stream.close_code in (1000, 1001):
            self._sessions.pop(session.id, None)

    def _beat(self, socket: Socket) -> None:
        self.heartbeats += 1
        if self.acks_heartbeats:
            socket.send(Json(op=11, t=None, s=None, d=None))

    async def _identify(self, socket: Socket, asked: Json) -> None:
        self.identifies.append(Json(asked, at=self._clock.now()))
        intents = int(asked.get("intents", 0))
        if socket.session is not None:
            await socket.end("close", 4005)
        elif asked.get("token") != self._world.token:
            await socket.end("close", 4004)
        elif intents & _PRIVILEGED & ~(MESSAGE_CONTENT if self._world.message_content else 0):
            await socket.end("close", 4014)
        elif self._clock.now() - self._identified_at < self.identify_seconds:
            socket.send(Json(op=9, t=None, s=None, d=False))
        else:
            self._open(socket, intents, asked.get("shard") or [0, 1])

    def _open(self, socket: Socket, intents: int, shard: list[int]) -> None:
        self._identified_at = self._clock.now()
        self.starts_left -= 1
        if self.starts_left < 0:  # Discord resets the token of who starts too often
            self._world.token = f"{self._world.token[:-5]}reset"
        session = Session(
            id=f"{self._random.getrandbits(128):032x}",
            intents=intents,
            shard=(int(shard[0]), int(shard[1])),
            is_shown_content=bool(intents & MESSAGE_CONTENT),
            socket=socket,
        )
        socket.session = session
        self._sessions[session.id] = session
        self.greet(session)

    async def _resume(self, socket: Socket, asked: Json) -> None:
        self.resumes.append(Json(asked, at=self._clock.now()))
        session = self._sessions.get(str(asked.get("session_id")))
        if asked.get("token") != self._world.token:
            await socket.end("close", 4004)
        elif session is None or self._is_expired(session):
            socket.send(Json(op=9, t=None, s=None, d=False))
        elif int(asked["seq"] or 0) > session.sequence:
            await socket.end("close", 4007)
        else:
            session.socket, session.lost_at = socket, None
            socket.session = session
            session.replay(int(asked["seq"] or 0))
            session.dispatch(Event(kind="RESUMED", payload=Json(_trace=["peer"])))

    def _is_expired(self, session: Session) -> bool:
        is_lost = session.lost_at is not None
        return is_lost and self._clock.now() - (session.lost_at or 0) > self.resume_seconds

    def emit(self, event: Event) -> None:
        """To every session, also those that wait for a RESUME."""
        for session in list(self._sessions.values()):
            if self._is_expired(session):
                del self._sessions[session.id]
            elif session.takes(event):
                self._send(session, event)
                if self._random.random() < self.duplicate:
                    self._send(session, event)

    def _send(self, session: Session, event: Event) -> None:
        if not self.lag:
            self._send_now(session, event)
            return
        late = self._random.uniform(0, self.lag)
        asyncio.get_running_loop().call_later(late, self._send_now, session, event)

    def _send_now(self, session: Session, event: Event) -> None:
        session.dispatch(event)
        socket = session.socket
        is_struck = socket is not None and self._random.random() < self.kill_rate
        if is_struck and socket is not None and socket.transport is not None:
            socket.is_kicked = True
            asyncio.get_running_loop().call_later(0.01, socket.transport.abort)

    async def kick(self, how: Ending, code: int, count: int | None = None) -> int:
        """How many connections were ended; their sessions can be resumed."""
        live = self.sockets
        chosen = self._random.sample(live, min(count or len(live), len(live)))
        for socket in chosen:
            await socket.end(how, code)
        return len(chosen)

    def reconnect(self) -> None:
        """RECONNECT to every connection."""
        for socket in self.sockets:
            socket.send(Json(op=7, t=None, s=None, d=None))

    def invalidate(self, *, is_resumable: bool = False) -> None:
        """INVALID_SESSION to every connection."""
        if not is_resumable:
            self._sessions.clear()
        for socket in self.sockets:
            socket.send(Json(op=9, t=None, s=None, d=is_resumable))

    def forget(self) -> None:
        """No session can be resumed any more; nobody is told, live ones are deaf."""
        self._sessions.clear()

    def mute(self) -> None:
        """Half-open lines: nothing goes out on those that are open now."""
        for socket in self.sockets:
            socket.is_mute = True


def _decoded(text: str) -> Json | None:
    try:
        value = parsed(text)
    except ValueError:
        return None
    return value if isinstance(value, Json) else None
