"""The network to a server, which can be cut, healed and torn: `async with Cable(url) as cable`."""

from __future__ import annotations

import asyncio
import socket
import struct
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from typing import Self
from urllib.parse import urlsplit

_PORTS = {"postgres": 5432, "mysql": 3306}
_AT_ONCE = struct.pack("ii", 1, 0)  # linger for no time: what is closed is reset
_CHUNK = 65536


class Cable:
    """Passes on every connection that is made to `url` to the server of the URL given."""

    def __init__(self, url: str) -> None:
        self._url = urlsplit(url)
        self._port = 0
        self._asks, self._answers = asyncio.Event(), asyncio.Event()
        self._last_word: bytes | None = None
        self.heal()
        self._ends: set[StreamWriter] = set()
        self._stack = AsyncExitStack()

    @property
    def url(self) -> str:
        """The same database, at this end of the cable."""
        user = self._url.netloc.rpartition("@")[0]
        return self._url._replace(netloc=f"{user}@127.0.0.1:{self._port}").geturl()

    async def __aenter__(self) -> Self:
        self._group = await self._stack.enter_async_context(asyncio.TaskGroup())
        self._stack.callback(self._close)
        await self._listen()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    def cut(self) -> None:
        """Let nothing pass, not even that one side has closed; both believe that all is well."""
        self._asks.clear()
        self._answers.clear()

    def lose_answer(self, *, to: bytes) -> None:
        """Let everything pass to the server up to this word, and nothing back after that."""
        self._last_word = to

    def heal(self) -> None:
        """Let pass what has been waiting, and all that follows."""
        self._last_word = None
        self._asks.set()
        self._answers.set()

    def renew(self) -> None:
        """Let pass what is connected from now on; a connection that is cut stays so for ever."""
        self._asks, self._answers = asyncio.Event(), asyncio.Event()
        self.heal()

    async def reset(self) -> None:
        """End every connection, as a router that was started again; new ones can be made."""
        ends = [end for end in self._ends if not end.is_closing()]
        for end in ends:
            end.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
            end.transport.abort()
        for end in ends:
            with suppress(OSError):
                await end.wait_closed()

    @asynccontextmanager
    async def unplugged(self) -> AsyncIterator[None]:
        """Every connection ends, and new ones are refused."""
        self._close()
        await self.reset()
        yield
        await self._listen()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", self._port)
        self._port = int(self._server.sockets[0].getsockname()[1])

    def _close(self) -> None:
        self._server.close()

    def _connected(self, near: StreamReader, back: StreamWriter) -> None:
        task = self._group.create_task(self._carry(near, back))
        self._stack.callback(task.cancel)

    async def _carry(self, near: StreamReader, back: StreamWriter) -> None:
        with self._end(back), suppress(OSError):
            await self._asks.wait()
            host, port = self._url.hostname, self._url.port or _PORTS[self._url.scheme]
            far, forth = await asyncio.open_connection(host, port)
            with self._end(forth):
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._pass(near, self._asks, forth))
                    group.create_task(self._pass(far, self._answers, back))

    @contextmanager
    def _end(self, writer: StreamWriter) -> Iterator[None]:
        self._ends.add(writer)
        try:
            yield
        finally:
            self._ends.discard(writer)
            writer.transport.abort()

    async def _pass(
        self, source: StreamReader, may_pass: asyncio.Event, sink: StreamWriter
    ) -> None:
        with suppress(OSError):
            while chunk := await source.read(_CHUNK):
                await may_pass.wait()
                if self._last_word and self._last_word in chunk:
                    self._answers.clear()
                sink.write(chunk)
                await sink.drain()
        await may_pass.wait()
        sink.close()
