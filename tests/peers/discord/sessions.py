"""Gateway sessions and the sockets they live on: what each receives, and what is kept to replay."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import Literal

from aiohttp import ClientConnectionError, web

from tests.peers.discord.wire import Json

GUILDS, GUILD_MESSAGES, DIRECT_MESSAGES = 1 << 0, 1 << 9, 1 << 12
GUILD_REACTIONS, DIRECT_REACTIONS = 1 << 10, 1 << 13
GUILD_TYPING, DIRECT_TYPING = 1 << 11, 1 << 14
MESSAGE_CONTENT = 1 << 15
MOST_KEPT = 1000
Ending = Literal["abort", "close"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """`concealed`: what a session without message content gets. `intent` 0: everybody gets it."""

    kind: str
    payload: Json
    concealed: Json | None = None
    intent: int = 0
    guild: str = ""  # empty goes to shard 0


@dataclass(eq=False, slots=True, kw_only=True)
class Socket:
    """`is_mute`: half open, nothing goes out on it any more."""

    number: int
    stream: web.WebSocketResponse
    transport: asyncio.Transport | None
    outbox: asyncio.Queue[Json] = field(default_factory=asyncio.Queue)
    session: Session | None = None
    is_mute: bool = False
    is_kicked: bool = False

    @property
    def is_live(self) -> bool:
        is_open = self.transport is not None and not self.transport.is_closing()
        return is_open and not self.stream.closed

    def send(self, frame: Json) -> None:
        if not self.is_mute:
            self.outbox.put_nowait(frame)

    async def write(self) -> None:
        while True:
            frame = await self.outbox.get()
            try:
                await self.stream.send_json(frame)
            except (ClientConnectionError, ConnectionError):
                return

    async def end(self, how: Ending, code: int = 4000) -> None:
        """abort: the line is cut. close: a CLOSE frame with the code."""
        self.is_kicked = True
        if how == "close":
            await self.stream.close(code=code)
        elif self.transport is not None:
            self.transport.abort()


@dataclass(eq=False, slots=True, kw_only=True)
class Session:
    """What it received is kept, so that a RESUME can have it again."""

    id: str
    intents: int
    shard: tuple[int, int]
    is_shown_content: bool
    socket: Socket | None = None
    sequence: int = 0
    lost_at: float | None = None
    kept: deque[Json] = field(default_factory=lambda: deque(maxlen=MOST_KEPT))

    @property
    def is_live(self) -> bool:
        return self.socket is not None and self.socket.is_live

    def takes(self, event: Event) -> bool:
        number, count = self.shard
        home = (int(event.guild) >> 22) % count if event.guild else 0
        is_wanted = not event.intent or bool(self.intents & event.intent)
        return is_wanted and home == number

    def dispatch(self, event: Event) -> None:
        payload = event.payload
        if event.concealed is not None and not self.is_shown_content:
            payload = event.concealed
        self.sequence += 1
        frame = Json(op=0, t=event.kind, s=self.sequence, d=payload)
        self.kept.append(frame)
        if self.socket is not None:
            self.socket.send(frame)

    def replay(self, after: int) -> None:
        if self.socket is not None:
            for frame in self.kept:
                if frame["s"] > after:
                    self.socket.send(frame)
