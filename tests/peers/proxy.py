"""A proxy that counts: HTTP, with and without CONNECT, and SOCKS 5 on the same port."""

from __future__ import annotations

import asyncio
import base64
from contextlib import suppress
from typing import Self
from urllib.parse import urlsplit

_SOCKS, _CONNECT, _IPV4, _NAME, _IPV6 = 5, 1, 1, 3, 4
_NO_AUTH, _PASSWORD, _REFUSED = 0, 2, 0xFF
_END = b"\r\n\r\n"
_REFUSAL = b"HTTP/1.1 407 No\r\nProxy-Authenticate: Basic\r\nContent-Length: 0" + _END


class Proxy:
    """With a `login`, user:password, it lets nobody else through.

    `asked` is where it was sent to, as host:port, and `lines` what HTTP asked it for.
    """

    def __init__(self, login: str = "") -> None:
        self.asked: list[str] = []
        self.lines: list[str] = []
        self._login = login
        self._server: asyncio.Server | None = None
        self._tasks = set[asyncio.Task[None]]()

    @property
    def place(self) -> str:
        """Host and port, with the login before them."""
        assert self._server
        port = self._server.sockets[0].getsockname()[1]
        return f"{self._login}{'@' if self._login else ''}127.0.0.1:{port}"

    @property
    def http(self) -> str:
        """Its address, as an HTTP proxy."""
        return f"http://{self.place}"

    @property
    def socks(self) -> str:
        """Its address, as a SOCKS proxy."""
        return f"socks5://{self.place}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server
        self._server.close()
        for task in self._tasks:
            task.cancel()
        with suppress(TimeoutError):
            async with asyncio.timeout(1):
                while self._tasks:
                    await asyncio.wait(self._tasks)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            first = await reader.readexactly(1)
            if first[0] == _SOCKS:
                await self._socks(reader, writer)
            else:
                await self._http(first, reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def _http(
        self, first: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        head = first + await reader.readuntil(_END)
        first_line, *lines = head.decode("latin-1").split("\r\n")
        method, target, _ = first_line.split(" ")
        self.lines.append(f"{method} {target}")
        if self._login and f"Proxy-Authorization: {self._basic()}" not in lines:
            writer.write(_REFUSAL)
            return
        if method == "CONNECT":
            there = await self._open(target)
            writer.write(b"HTTP/1.1 200 OK" + _END)
        else:
            parts = urlsplit(target)
            there = await self._open(parts.netloc)
            path = target.removeprefix(f"{parts.scheme}://{parts.netloc}") or "/"
            there[1].write(head.replace(target.encode(), path.encode(), 1))
        await _join((reader, writer), there)

    async def _socks(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        offered = await reader.readexactly((await reader.readexactly(1))[0])
        wanted = _PASSWORD if self._login else _NO_AUTH
        writer.write(bytes([_SOCKS, wanted if wanted in offered else _REFUSED]))
        if wanted not in offered:
            return
        if self._login:
            await reader.readexactly(1)
            given = [await reader.readexactly((await reader.readexactly(1))[0]) for _ in "ab"]
            is_right = b":".join(given).decode() == self._login
            writer.write(bytes([1, 0 if is_right else 1]))
            if not is_right:
                return
        _, command, _, kind = await reader.readexactly(4)
        assert command == _CONNECT
        if kind == _NAME:
            host = (await reader.readexactly((await reader.readexactly(1))[0])).decode()
        else:
            assert kind == _IPV4
            host = ".".join(map(str, await reader.readexactly(4)))
        port = int.from_bytes(await reader.readexactly(2))
        there = await self._open(f"{host}:{port}")
        writer.write(bytes([_SOCKS, 0, 0, _IPV4, 127, 0, 0, 1, 0, 0]))
        await _join((reader, writer), there)

    async def _open(self, place: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        host, _, port = place.rpartition(":")
        self.asked.append(place)
        return await asyncio.open_connection(host, int(port))

    def _basic(self) -> str:
        return f"Basic {base64.b64encode(self._login.encode()).decode()}"


Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _join(one: Stream, other: Stream) -> None:
    try:
        async with asyncio.TaskGroup() as both:
            both.create_task(_pass_on(one[0], other[1]))
            both.create_task(_pass_on(other[0], one[1]))
    except* OSError:
        pass
    finally:
        other[1].close()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while chunk := await reader.read(65_536):
        writer.write(chunk)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()
